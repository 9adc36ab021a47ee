// A real identity provider (oidc-provider) on a free port of this machine, told by its standard input what to do:
// `rotate` gives it another signing key, `person NAME` says who sits at the browser from now on. It says what it did, one JSON value a
// line. Clients that show their secret: `agent`, and `staff-ROLE`, whose tokens have that role. People log in for the client `console`,
// which may come back to IDP_CONSOLE alone.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

// Standard output is for answers; the provider has notices of its own.
console.info = console.error;

const secret = process.env.IDP_CLIENT_SECRET;
if (!secret) throw new Error('IDP_CLIENT_SECRET is not set');

const back = process.env.IDP_CONSOLE;

// Who logs in, and what they are.
const people = { ann: ['gate-admin', 'cook'], rob: ['gate-reader'], eve: ['cook'] };
let person = 'ann';

const program = (client_id, alg) => ({
  client_id,
  client_secret: secret,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: 'client_secret_post',
  id_token_signed_response_alg: alg,
});

const browsed = (alg) => ({
  client_id: 'console',
  client_secret: secret,
  grant_types: ['authorization_code'],
  redirect_uris: [back],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_basic',
  id_token_signed_response_alg: alg,
});

let serial = 0;
async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  serial += 1;
  return { ...(await exportJWK(privateKey)), kid: `key-${serial}`, alg, use: 'sig' };
}

async function provider(issuer, alg) {
  return new Provider(issuer, {
    jwks: { keys: [await signingKey(alg)] },
    clients: [
      ...['agent', 'staff-gate-admin', 'staff-gate-reader', 'staff-cook'].map((id) => program(id, alg)),
      ...(back ? [browsed(alg)] : []),
    ],
    ttl: { ClientCredentials: 600, Interaction: 600, Session: 600, Grant: 600, IdToken: 600, AccessToken: 600 },
    cookies: { keys: [secret] },
    pkce: { required: () => true },
    claims: { openid: ['sub', 'roles'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, roles: people[id] ?? [] }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    extraTokenClaims: (_, token) => ({
      groups: ['staff', 'free'],
      ...(token.clientId.startsWith('staff-') && { roles: [token.clientId.slice(6)] }),
    }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: '',
          audience: resource === 'urn:portcullis' ? 'portcullis' : resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg } },
        }),
      },
    },
  });
}

// Whoever sits at the browser logs in and agrees at once.
function answering(oidc) {
  const callback = oidc.callback();
  return async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return callback(request, response);
    const { prompt, params, session } = await oidc.interactionDetails(request, response);
    if (prompt.name === 'login') {
      return oidc.interactionFinished(request, response, { login: { accountId: person } });
    }
    const grant = new oidc.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope('openid');
    return oidc.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  };
}

let answer = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
answer = answering(await provider(issuer, 'ES256'));
console.log(JSON.stringify({ issuer }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'rotate') {
    answer = answering(await provider(issuer, 'PS256'));
    console.log(JSON.stringify({ rotated: serial }));
  } else if (line.startsWith('person ')) {
    person = line.slice(7);
    console.log(JSON.stringify({ person }));
  }
}
process.exit(0);
