import amqp, { type Channel } from 'amqplib';
import type { RoomManager } from './room-manager.js';

const rabbitmqUrl = process.env['RABBITMQ_URL'] ?? 'amqp://localhost';

export class WebSocketEventBridge {
  private roomManager: RoomManager;
  private channel: Channel | null = null;

  constructor(roomManager: RoomManager) {
    this.roomManager = roomManager;
  }

  async connect(): Promise<void> {
    // Connect to RabbitMQ
    const connection = await amqp.connect(rabbitmqUrl);
    this.channel = await connection.createChannel();

    // Bind to payments exchange
    await this.channel.assertExchange('payments_events', 'topic', {
      durable: true,
    });

    // Create queue and bind to events
    const queue = await this.channel.assertQueue('ws_events', {
      exclusive: false,
    });

    // Listen for all events
    await this.channel.bindQueue(queue.queue, 'payments_events', '#');

    // Consume messages
    await this.channel.consume(queue.queue, msg => {
      if (msg) {
        const event = JSON.parse(msg.content.toString());
        this.broadcastEvent(event);
        this.channel?.ack(msg);
      }
    });
  }

  private broadcastEvent(event: any): void {
    // Route event to appropriate room
    switch (event.type) {
      case 'payment:created':
        this.roomManager.broadcast('broadcast', {
          type: 'payment:created',
          payload: event.data,
          timestamp: new Date().toISOString(),
        });
        break;

      case 'payment:updated':
      case 'payment:completed':
      case 'payment:failed':
        // Broadcast to all + user-specific room
        this.roomManager.broadcast('broadcast', {
          type: event.type,
          payload: event.data,
          timestamp: new Date().toISOString(),
        });

        if (event.data.userId) {
          this.roomManager.broadcast(`user:${event.data.userId}`, {
            type: event.type,
            payload: event.data,
          });
        }
        break;

      case 'profile:updated':
        this.roomManager.broadcast(`user:${event.data.userId}`, {
          type: 'profile:updated',
          payload: event.data,
          timestamp: new Date().toISOString(),
        });
        break;

      default:
        // Whoever has subscribed to it
        this.roomManager.broadcast(event.type, {
          type: event.type,
          payload: event.data,
          timestamp: new Date().toISOString(),
        });
    }
  }
}
