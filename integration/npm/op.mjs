// A certified OpenID Provider for the tests. Its configuration comes as JSON
// in the first argument; it ends when its standard input closes. Whoever signs in
// leaves a refresh token, which is replaced each time that it is used. What it
// grants it says on its standard output.
//
//   POST /test/down     it answers everything with 503 from then on
//   POST /test/up       it does not
//   POST /test/remove?login=    there is no such account any more
//
//   port      where it listens on 127.0.0.1
//   clients   [{id, secret, redirectURI, signOutURI, pkce, auth, key, pushOnly,
//             trusted}]; auth is how the client says who it is, key its public
//             key, as a JWK; nobody is asked whether a trusted one may know who
//             they are; logoutURI is told when a session ends here, and which one
//             if logoutBySession, otherwise only whose
//   accounts  {login: claims}; claims without sub get the login as sub
import http from 'node:http';
import process from 'node:process';
import { Provider, errors } from 'oidc-provider';

const { port, clients, accounts } = JSON.parse(process.argv[2]);
const issuer = `http://localhost:${port}`;

// logoutSource asks somebody who signs out whether they mean it.
function logoutSource(ctx, form) {
  ctx.body = `<!doctype html><title>Provider</title><h1>Provider</h1><p>Do you want to sign-out from ${ctx.host}?</p>${form}
<button type="submit" form="op.logoutForm" value="yes" name="logout">Yes, sign me out</button>
<button type="submit" form="op.logoutForm">No, stay signed in</button>`;
}

const provider = new Provider(issuer, {
  clients: clients.map(({ id, secret, redirectURI, signOutURI, logoutURI, logoutBySession, auth, key, pushOnly, trusted }) => ({
    client_id: id,
    client_secret: secret || undefined,
    token_endpoint_auth_method: auth || (secret ? 'client_secret_basic' : 'none'),
    jwks: key ? { keys: [key] } : undefined,
    require_pushed_authorization_requests: Boolean(pushOnly),
    redirect_uris: [redirectURI],
    grant_types: ['authorization_code', 'refresh_token'],
    post_logout_redirect_uris: signOutURI ? [signOutURI] : [],
    backchannel_logout_uri: logoutURI || undefined,
    backchannel_logout_session_required: Boolean(logoutURI && logoutBySession),
    // Of native applications the provider asks at every sign-in.
    application_type: trusted ? 'web' : 'native',
  })),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  pkce: { required: (ctx, client) => Boolean(clients.find(({ id }) => id === client.clientId)?.pkce) },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'locale'],
    attributes: ['app_role', 'labels', 'https://example.com/groups', 'resource_access', 'user_field_team', 'user_field_floor', 'staff_number'],
  },
  loadExistingGrant: async (ctx) => {
    const { client, session, params, result } = ctx.oidc;
    if (!clients.find(({ id }) => id === client.clientId)?.trusted) {
      const grantId = result?.consent?.grantId || session.grantIdFor(client.clientId);
      return grantId && provider.Grant.find(grantId);
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
  // In the ID token too, as most providers do.
  conformIdTokenClaims: false,
  findAccount: (ctx, login) => accounts[login] && {
    accountId: login,
    claims: () => ({ sub: login, ...accounts[login] }),
  },
  cookies: { keys: ['only for tests'] },
  // Its own would not speak to this machine, on which the clients are here.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true, logoutSource }, backchannelLogout: { enabled: true } },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  renderError: (ctx, { error, error_description: description }) => {
    ctx.type = 'html';
    ctx.body = `<h1>${error}</h1><p>${description ?? ''}</p>`;
  },
  ttl: { Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 600, IdToken: 600, RefreshToken: 3600 },
});

provider.on('server_error', (ctx, err) => console.log('server error', err));
provider.on('authorization.error', (ctx, err) => console.log('authorization error', err.message));
provider.on('backchannel.success', (ctx, client) => console.log('logged out', client.clientId));
provider.on('backchannel.error', (ctx, err, client) => console.log('logout error', client.clientId, err.message));
provider.on('grant.success', (ctx) => console.log('granted', ctx.oidc.params.grant_type, ctx.oidc.client.clientId));
provider.on('grant.error', (ctx, err) => console.log('grant error', err.error, err.error_description, err.error_detail ?? ''));

const page = (uid) => `<!doctype html><title>Provider</title><h1>Provider</h1>
<form method="post" action="/interaction/${uid}">
<label>Login <input name="login" autofocus></label>
<button name="do" value="sign-in">Sign in</button>
<button name="do" value="cancel">Cancel</button>
</form>`;

async function body(req) {
  let text = '';
  for await (const chunk of req) text += chunk;
  return new URLSearchParams(text);
}

// interaction asks who signs in and agrees to whatever is asked for.
async function interaction(req, res) {
  const { uid, params, grantId } = await provider.interactionDetails(req, res);
  if (req.method === 'GET') {
    res.setHeader('content-type', 'text/html');
    res.end(page(uid));
    return;
  }
  const form = await body(req);
  if (form.get('do') === 'cancel') {
    const refusal = { error: 'access_denied', error_description: 'the person said no' };
    await provider.interactionFinished(req, res, refusal, { mergeWithLastSubmission: false });
    return;
  }
  const login = form.get('login');
  if (!accounts[login]) {
    res.writeHead(401, { 'content-type': 'text/html' });
    res.end(page(uid));
    return;
  }
  const grant = (grantId && (await provider.Grant.find(grantId))) ||
    new provider.Grant({ accountId: login, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId: login }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
}

let down = false;

// control does what a test wants.
function control(url, res) {
  if (url.pathname === '/test/remove') delete accounts[url.searchParams.get('login')];
  else down = url.pathname === '/test/down';
  res.end();
}

const callback = provider.callback();
const server = http.createServer((req, res) => {
  const url = new URL(req.url, issuer);
  if (req.method === 'POST' && url.pathname.startsWith('/test/')) {
    control(url, res);
    return;
  }
  if (down) {
    res.writeHead(503);
    res.end();
    return;
  }
  if (!req.url.startsWith('/interaction/')) {
    callback(req, res);
    return;
  }
  interaction(req, res).catch((err) => {
    const status = err instanceof errors.OIDCProviderError ? err.statusCode : 500;
    console.log('interaction error', err);
    res.writeHead(status, { 'content-type': 'text/html' });
    res.end(`<h1>${err.name}</h1>`);
  });
});
server.listen(port, '127.0.0.1', () => console.log('ready'));
process.stdin.resume();
process.stdin.on('end', () => process.exit());
