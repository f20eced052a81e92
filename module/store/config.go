package store

import (
	"strings"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

// DriverSQLite keeps the store in one file of this machine.
const DriverSQLite = "sqlite"

// Config says which database holds the store.
type Config struct {
	// Driver is the kind of database. Only "sqlite" is available.
	// Default: sqlite.
	Driver string `json:"driver,omitempty"`

	// Path of the database file; its folder is made when it does not exist.
	// Relative paths are relative to Caddy's working directory. Placeholders
	// {env.NAME} and {file.PATH} are resolved when the configuration is
	// loaded. Default: auth_gateway/auth_gateway.db in Caddy's data
	// directory.
	Path string `json:"path,omitempty"`
}

// Validate reports what is wrong with c. Placeholders have been resolved.
func (c Config) Validate() (wrong mistake.List) {
	switch c.Driver {
	case "", DriverSQLite:
	case "postgres":
		wrong.Addf("store", "postgres is not available yet: use sqlite")
	default:
		wrong.Addf("store", "unknown kind of database %q: use sqlite", c.Driver)
	}
	switch {
	case strings.HasSuffix(c.Path, "/"):
		wrong.Addf("store", "%q is a folder: name the database file in it", c.Path)
	case strings.ContainsAny(c.Path, "?#"):
		// The path becomes part of an SQLite URI, in which these begin
		// options that would change how the file is opened.
		wrong.Addf("store", "%q: a path with ? or # cannot be opened: choose another", c.Path)
	case strings.HasPrefix(c.Path, "file:"), strings.HasPrefix(c.Path, ":memory:"):
		wrong.Addf("store", "%q is not a path: name a file on disk", c.Path)
	}
	return wrong
}
