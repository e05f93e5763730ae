import type { ConnectionManager } from './connection-manager.js';

const INTERVAL = Number(process.env['HEARTBEAT_INTERVAL'] ?? 30000);
const TIMEOUT = Number(process.env['HEARTBEAT_TIMEOUT'] ?? 10000);

/** Pings every connection every 30s and terminates those that have not answered 10s later. */
export function startHeartbeat(connections: ConnectionManager): void {
  setInterval(() => {
    for (const connection of connections.all()) {
      connection.isAlive = false;
      connection.ws.ping();
      setTimeout(() => {
        if (!connection.isAlive) {
          connection.ws.terminate();
        }
      }, TIMEOUT);
    }
  }, INTERVAL);
}
