// What Gatecheck starts. Without a URL the client has what the seed's bootstrap gives it.
import { serve } from '../../../adapters/node/gatecheck-adapter.mjs';
import { WebSocketClient } from './client.js';

const DEFAULT_URL = process.env['NX_WS_URL'] || 'ws://localhost:3000/ws';

serve({
  create: ({ url = DEFAULT_URL, token, options }) => new WebSocketClient({ url, token, ...options }),
});
