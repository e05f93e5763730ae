"""What a service written with pika does with its broker. Exits with 0 where all of it worked."""

import json
import os
import sys

import pika
import pika.exceptions

URL = sys.argv[1]


def name(what):
    return f"gatecheck.pika.{os.getpid()}.{what}"


def publish_and_consume(connection):
    channel = connection.channel()
    exchange, queue = name("events"), name("ws_events")
    channel.exchange_declare(exchange, exchange_type="topic", durable=True)
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange, routing_key="#")
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=2)

    body = json.dumps({"type": "payment:created", "data": {"id": 1}}).encode()
    properties = pika.BasicProperties(delivery_mode=2, headers={"n": 1, "deep": {"list": [1, "a"]}})
    channel.basic_publish(exchange, "payment.created", body, properties, mandatory=True)
    channel.basic_publish(exchange, "payment.created", b"x" * 1_000_000, mandatory=True)

    deliveries = channel.consume(queue, inactivity_timeout=10)
    method, header, got = next(deliveries)
    assert (got, method.redelivered) == (body, False)
    assert header.headers == {"n": 1, "deep": {"list": [1, "a"]}}, header.headers
    channel.basic_nack(method.delivery_tag, requeue=True)
    method, _, got = next(deliveries)
    while got != body:
        channel.basic_ack(method.delivery_tag)
        method, _, got = next(deliveries)
    assert method.redelivered
    channel.basic_ack(method.delivery_tag, multiple=True)
    channel.cancel()

    try:
        channel.basic_publish("", name("nowhere"), b"lost", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        assert error.messages[0].body == b"lost"
    else:
        raise AssertionError("an unroutable message was not returned")

    channel.queue_purge(queue)
    assert channel.queue_declare(queue, passive=True).method.message_count == 0
    assert channel.basic_get(queue) == (None, None, None)
    channel.queue_delete(queue)
    channel.exchange_delete(exchange)
    channel.close()


def fail(connection):
    channel = connection.channel()
    try:
        channel.queue_declare(name("missing"), passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 404
    else:
        raise AssertionError("a missing queue was found")

    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    assert queue.startswith("amq.gen-")
    other = pika.BlockingConnection(pika.URLParameters(URL))
    try:
        other.channel().queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 405
    else:
        raise AssertionError("an exclusive queue was open to others")
    other.close()


def main():
    connection = pika.BlockingConnection(pika.URLParameters(f"{URL}?heartbeat=5"))
    publish_and_consume(connection)
    fail(connection)
    connection.close()
    try:
        pika.BlockingConnection(pika.URLParameters(URL.replace("guest:guest", "guest:guess")))
    except pika.exceptions.ProbableAuthenticationError:
        pass
    else:
        raise AssertionError("a wrong password was taken")


main()
