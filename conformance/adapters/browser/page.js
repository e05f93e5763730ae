// What runs in the browser: your client, wrapped. `gatecheck-adapter.mjs` says what else can be told here.
import { serve } from './gatecheck-adapter.mjs';
import { Client } from './client.js'; // your client goes here

serve({
  tokenProvider: true, // `judge.token` is asked for the token of each dial; without such a thing, leave both out
  // `options` has the times of gatecheck.toml in milliseconds: reconnectDelay, maxReconnectDelay, pingInterval, pongTimeout,
  // connectTimeout, stableAfter; and maxReconnectAttempts, jitter, autoReconnect, autoConnect, queueCapacity, debug, seed,
  // tokenProvider. What a case does not need is left out. Give them to your client by the names that it has for them.
  create: ({ url, token, options: { tokenProvider, ...options } }, judge) =>
    new Client({ url, token: tokenProvider ? judge.token : token, ...options }),
  ops: {
    subscribe: (client, { target }) => client.subscribe(target),
    unsubscribe: (client, { target }) => client.unsubscribe(target),
  },
});
