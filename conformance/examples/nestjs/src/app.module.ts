import { Controller, Get, Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { RabbitMQModule } from '@golevelup/nestjs-rabbitmq';
import { EventsGateway } from './events.gateway';
import { EventsService } from './events.service';
import { Rooms } from './rooms';

@Controller()
class HealthController {
  @Get('healthz')
  health() {
    return { status: 'ok' };
  }
}

@Module({
  imports: [
    JwtModule.register({ secret: process.env.JWT_SECRET, verifyOptions: { algorithms: ['HS256'] } }),
    RabbitMQModule.forRoot({
      exchanges: [{ name: 'payments_events', type: 'topic' }],
      uri: process.env.RABBITMQ_URL ?? 'amqp://localhost',
      connectionInitOptions: { wait: false },
    }),
  ],
  controllers: [HealthController],
  providers: [EventsGateway, EventsService, Rooms],
})
export class AppModule {}
