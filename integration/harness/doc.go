// Package harness runs the real things that the integration tests put
// together: the built Caddy, an app that shows what it received, identity
// providers, browsers, authenticator apps.
//
// Everything listens on the loopback interface, keeps its files in a folder of
// the test's own and ends with the test. Whatever a test tells a [Caddy] is a
// secret must not turn up in its log; that is checked at the end of each test.
package harness

// EnvBinary names the environment variable that holds the path of the Caddy
// to test. Without it one is built, once per test run.
const EnvBinary = "AUTH_GATEWAY_BINARY"

// EnvOutput names the environment variable that holds the folder for
// screenshots and the logs of failed tests. Default: integration/output.
const EnvOutput = "AUTH_GATEWAY_OUTPUT"
