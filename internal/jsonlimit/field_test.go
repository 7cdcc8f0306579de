package jsonlimit_test

import (
	"testing"

	"imageflow.dev/internal/jsonlimit"
)

func TestStringField(t *testing.T) {
	for text, want := range map[string]string{
		`{"code":3,"message":"no such file","details":[]}`: "no such file",
		`{"code":3,"message":"no such file","deta`:         "no such file",
		`{"inner":{"message":"not this"},"text":"this"}`:   "this",
		`{"message":3,"text":"this"}`:                      "this",
		`{"message":"cut`:                                  "",
		`["message","x"]`:                                  "",
		`plain text`:                                       "",
		``:                                                 "",
	} {
		if got := jsonlimit.StringField([]byte(text), "message", "text"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
