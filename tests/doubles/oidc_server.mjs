// A strict OpenID Connect server (npm's oidc-provider) that gives a CI job signed tokens for one audience.
// Usage: node oidc_server.mjs FOLDER_OF_NODE_MODULES PORT AUDIENCE
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, port, audience] = process.argv.slice(2);
const found = createRequire(`${folder}/package.json`).resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(found));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "ci", client_secret: "ci-secret-of-the-test", grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({ scope: "", audience, accessTokenFormat: "jwt", accessTokenTTL: 600, jwt: { sign: { alg: "RS256" } } }),
    },
  },
  extraTokenClaims: () => ({ repository: "acme/models", ref: "refs/heads/main" }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
