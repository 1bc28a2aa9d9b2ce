// A provider of npm's `oidc-provider` at which people sign in. Arguments: folder of node_modules, port, redirect address, life of tokens, client, secret.
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';
const [folder, port, redirect, life, id, secret] = process.argv.slice(2);
const {default: Provider} = await import(pathToFileURL(createRequire(folder + '/').resolve('oidc-provider')));
const client = (id, more) => ({client_id: id, client_secret: secret, token_endpoint_auth_method: 'client_secret_basic', ...more});
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    client(id, {redirect_uris: [redirect], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code']}),
    client('account', {redirect_uris: [], grant_types: ['client_credentials'], response_types: []}),
  ],
  pkce: {required: () => true},
  features: {devInteractions: {enabled: true}, clientCredentials: {enabled: true}, userinfo: {enabled: true}},
  scopes: ['openid', 'offline_access', 'figures'],
  issueRefreshToken: async () => true,
  rotateRefreshToken: () => true,
  ttl: {AccessToken: Number(life), Session: 3600, Grant: 3600, Interaction: 600, IdToken: 600, RefreshToken: 3600, ClientCredentials: 600},
  cookies: {keys: ['tested']},
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
