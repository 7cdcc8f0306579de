package stores

import (
	"net/url"
	"os"
	"testing"

	"imageflow.dev/internal/objects"
)

// serverVariable is the environment variable with the server that tests run against, in place of those that they start:
// s3://ACCESS_KEY:SECRET_KEY@HOST:PORT?SETTING=false&..., with the settings STORE_... that it needs, and with
// "metadata" if its listings have metadata.
const serverVariable = "TEST_STORE"

// kinds returns the kinds of stores of Each.
func kinds(t testing.TB) []Kind {
	t.Helper()
	text := os.Getenv(serverVariable)
	if text == "" {
		return []Kind{MinIO, Local, Plain}
	}
	server, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := server.User.Password()
	c := objects.Config{Endpoint: server.Host, AccessKey: server.User.Username(), SecretKey: secret}
	c.PlainWrites = server.Query().Has("STORE_CONDITIONAL_WRITES")
	if server.Query().Has("STORE_TAGS") {
		c.TagBucket = tagBucket
	}
	k := Kind{Name: "server", ListsMetadata: server.Query().Has("metadata"), Plain: c.PlainWrites}
	k.start = func(testing.TB) objects.Config { return c }
	return []Kind{k}
}
