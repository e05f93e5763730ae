// What Gatecheck starts: the class, and what a method of the same name does not tell.
import { serve } from '../../adapters/node/gatecheck-adapter.mjs';
import { RealtimeClient } from './client.mjs';

serve({
  tokenProvider: true,
  create: ({ url, token, options: { tokenProvider, ...options } }, judge) =>
    new RealtimeClient({ url, token: tokenProvider ? judge.token : token, ...options }),
  ops: {
    subscribe: (client, { target }) => client.subscribe(target),
    unsubscribe: (client, { target }) => client.unsubscribe(target),
  },
});
