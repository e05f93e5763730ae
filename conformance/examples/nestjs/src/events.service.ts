import { Injectable } from '@nestjs/common';
import { RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { Rooms } from './rooms';

interface Message {
  pattern: string;
  data: { userId?: string };
}

/** Hands on what comes from RabbitMQ. */
@Injectable()
export class EventsService {
  constructor(private readonly rooms: Rooms) {}

  @RabbitSubscribe({ exchange: 'payments_events', routingKey: '#', queue: 'ws_events' })
  async handle({ pattern, data }: Message) {
    const [topic] = pattern.split('.');
    this.rooms.emit(this.roomOf(topic, pattern, data), pattern, data);
  }

  private roomOf(topic: string, pattern: string, data: Message['data']) {
    if (topic === 'payment') return 'broadcast';
    if (topic === 'profile' || topic === 'session') return `user:${data.userId}`;
    return topic === 'admin' ? 'role:admin' : pattern;
  }
}
