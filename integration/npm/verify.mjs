// Verifies an assertion as an app in JavaScript would, and prints its claims:
//
//   node verify.mjs <issuer> <audience> <assertion>
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [issuer, audience, assertion] = process.argv.slice(2)
const keys = createRemoteJWKSet(new URL(issuer + '/auth-gateway/jwks.json'))
const { payload } = await jwtVerify(assertion, keys, { issuer, audience, algorithms: ['ES256'] })
console.log(JSON.stringify(payload))
