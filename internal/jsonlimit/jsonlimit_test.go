package jsonlimit_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"imageflow.dev/internal/jsonlimit"
)

var limits = jsonlimit.Limits{Bytes: 1000, Depth: 4, Elements: 10, Members: 8}

func TestCheck(t *testing.T) {
	tests := []struct{ name, text, contains string }{
		{"empty", "", ""},
		{"a scalar", "1", ""},
		{"at the depth", `[{"a":[{}]}]`, ""},
		{"too deep", `[{"a":[{"b":[]}]}]`, "deeper than 4"},
		{"deep, never closed", strings.Repeat("[", 900), "deeper than 4"},
		{"closed more often than opened", strings.Repeat("]", 20) + `[[[[[`, "deeper than 4"},
		{"as many members", "[1" + strings.Repeat(",1", 7) + "]", ""},
		{"too many members", "[1" + strings.Repeat(",1", 8) + "]", "more than 8 members"},
		{"as many elements", "[[1" + strings.Repeat(",1", 8) + "]]", ""},
		{"too many elements", "[[1" + strings.Repeat(",1", 9) + "]]", "more than 10 elements"},
		{"empty objects", "[[" + strings.Repeat("{},", 20) + "{}]]", "more than 10 elements"},
		{"members", "{" + strings.Repeat(`"a":0,`, 20) + `"a":0}`, "more than 8 members"},
		{"one after another", strings.Repeat("[]", 20), "more than 8 members"},
		{"structure in a string", `["` + strings.Repeat("[{,", 100) + `"]`, ""},
		{"a quote in a string", `["\"` + strings.Repeat("[{,", 100) + `"]`, ""},
		{"a backslash that ends a string", `["\\",[[[[[[[[`, "deeper than 4"},
		{"too long", `"` + strings.Repeat("x", 1000) + `"`, "longer than 1000 bytes"},
	}
	for _, test := range tests {
		whole := jsonlimit.Check([]byte(test.text), limits)
		_, pieces := io.ReadAll(jsonlimit.NewReader(iotest.OneByteReader(strings.NewReader(test.text)), limits))
		for _, err := range []error{whole, pieces} {
			var exceeded *jsonlimit.Error
			switch {
			case test.contains == "" && err != nil:
				t.Errorf("%s: %v", test.name, err)
			case test.contains != "" && (!errors.As(err, &exceeded) || !strings.Contains(err.Error(), test.contains)):
				t.Errorf("%s: got %v, want %q", test.name, err, test.contains)
			}
		}
	}
}

func TestCheck_zeroLimitsAllowEverything(t *testing.T) {
	if err := jsonlimit.Check([]byte(strings.Repeat("[", 1<<20)), jsonlimit.Limits{}); err != nil {
		t.Error(err)
	}
}

func TestNewReader_stopsAtLimit(t *testing.T) {
	var v any
	hostile := strings.NewReader(`{"steps":[` + strings.Repeat("{},", 1<<20) + `{}]}`)
	err := json.NewDecoder(jsonlimit.NewReader(hostile, limits)).Decode(&v)
	var exceeded *jsonlimit.Error
	if !errors.As(err, &exceeded) || v != nil {
		t.Errorf("got %v, %v", v, err)
	}
	if read := hostile.Size() - int64(hostile.Len()); read > 64<<10 {
		t.Errorf("%d bytes of a text were read whose beginning exceeds the limit", read)
	}
}
