// A real identity provider (oidc-provider) on a free port of this machine, told by its standard input what to do:
// `rotate` gives it another signing key. It says what it did, one JSON value a line.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

// Standard output is for answers; the provider has notices of its own.
console.info = console.error;

const secret = process.env.IDP_CLIENT_SECRET;
if (!secret) throw new Error('IDP_CLIENT_SECRET is not set');

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
      {
        client_id: 'agent',
        client_secret: secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
        id_token_signed_response_alg: alg,
      },
    ],
    ttl: { ClientCredentials: 600 },
    extraTokenClaims: () => ({ groups: ['staff', 'free'] }),
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

let answer = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
answer = (await provider(issuer, 'ES256')).callback();
console.log(JSON.stringify({ issuer }));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'rotate') {
    answer = (await provider(issuer, 'PS256')).callback();
    console.log(JSON.stringify({ rotated: serial }));
  }
}
process.exit(0);
