// What Gatecheck starts: your client, wrapped. `gatecheck-adapter.mjs` says what else can be told here.
import { serve } from './gatecheck-adapter.mjs';
import { Client } from './client.mjs'; // your client goes here

serve({
  // `options` has the times of gatecheck.toml in milliseconds: reconnectDelay, maxReconnectDelay, pingInterval, pongTimeout,
  // connectTimeout, stableAfter; and maxReconnectAttempts, jitter, autoReconnect, autoConnect, queueCapacity, debug, seed,
  // tokenProvider. What a case does not need is left out. Give them to your client by the names that it has for them.
  create: ({ url, token, options }) => new Client({ url, token, ...options }),
});
