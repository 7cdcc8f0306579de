package signedurl_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/signedurl"
)

const (
	oldKey = "an old key of at least 32 characters"
	newKey = "a new key of at least 32 characters!"
)

func keys(t *testing.T, texts ...string) *signedurl.Keys {
	t.Helper()
	k, err := signedurl.New(texts)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// verify verifies a URL as a server gets it.
func verify(t *testing.T, k *signedurl.Keys, text string, now time.Time) error {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	expires, err := k.Verify(u.Path, u.Query(), now)
	if err == nil && !expires.Equal(time.Unix(2000, 0)) {
		t.Errorf("%s expires at %v", text, expires)
	}
	return err
}

func TestVerify(t *testing.T) {
	k, before := keys(t, newKey, oldKey), time.Unix(1999, 0)
	signed := k.Sign("/v1/images/a b+ü%2F/c.jpg", url.Values{"preset": {"x y"}, "expires": {"2000"}, "z": {"2", "1"}})
	const want = "/v1/images/a%20b%2B%C3%BC%252F/c.jpg?expires=2000&preset=x%20y&z=1&z=2&sig="
	if !strings.HasPrefix(signed, want) {
		t.Fatalf("signed %s, want %s", signed, want)
	}
	path, query, _ := strings.Cut(signed, "?")
	old := keys(t, oldKey).Sign("/a", url.Values{"expires": {"2000"}})
	parts := strings.Split(query, "&")
	for name, c := range map[string]struct {
		url  string
		keys *signedurl.Keys
		now  time.Time
		want error
	}{
		"as signed":        {signed, k, before, nil},
		"written by hand":  {strings.ReplaceAll(strings.ReplaceAll(signed, "x%20y", "x+y"), "%C3%BC", "%c3%bc"), k, before, nil},
		"another order":    {path + "?" + parts[4] + "&" + parts[3] + "&" + parts[1] + "&" + parts[0] + "&" + parts[2], k, before, nil},
		"rotated key":      {old, k, before, nil},
		"removed key":      {old, keys(t, newKey), before, signedurl.ErrInvalid},
		"another path":     {strings.Replace(signed, "c.jpg", "d.jpg", 1), k, before, signedurl.ErrInvalid},
		"another value":    {strings.Replace(signed, "z=2", "z=3", 1), k, before, signedurl.ErrInvalid},
		"another time":     {strings.Replace(signed, "2000", "3000", 1), k, before, signedurl.ErrInvalid},
		"one more value":   {signed + "&z=1", k, before, signedurl.ErrInvalid},
		"two signatures":   {signed + "&" + parts[4], k, before, signedurl.ErrInvalid},
		"no signature":     {path + "?" + strings.Join(parts[:4], "&"), k, before, signedurl.ErrInvalid},
		"a short one":      {signed[:len(signed)-2], k, before, signedurl.ErrInvalid},
		"a line more":      {signed + "%0A", k, before, signedurl.ErrInvalid},
		"padded":           {signed + "%3D", k, before, signedurl.ErrInvalid},
		"expired":          {signed, k, time.Unix(2000, 0), signedurl.ErrExpired},
		"forged, expired":  {signed + "&z=1", k, time.Unix(2000, 0), signedurl.ErrInvalid},
		"a moved boundary": {strings.Replace(signed, "2000&preset=", "2000%26preset=", 1), k, before, signedurl.ErrInvalid},
	} {
		if err := verify(t, c.keys, c.url, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestVerify_needsATime(t *testing.T) {
	k := keys(t, newKey)
	for _, values := range []url.Values{
		{"preset": {"a"}}, {"expires": {"tomorrow"}}, {"expires": {"+2000"}}, {"expires": {"-1"}}, {"expires": {"2000", "3000"}},
	} {
		err := verify(t, k, k.Sign("/a", values), time.Unix(0, 0))
		if err == nil || !strings.HasPrefix(err.Error(), "expires: must be given once") {
			t.Errorf("%v: %v", values, err)
		}
	}
}

func TestNew_trailingComma(t *testing.T) {
	if _, err := signedurl.New([]string{newKey, ""}); err == nil || !strings.Contains(err.Error(), "remove the comma") {
		t.Errorf("got %v", err)
	}
}

func TestNew_errorsShowNoKey(t *testing.T) {
	for _, texts := range [][]string{nil, {newKey, "secret"}, strings.Split(strings.Repeat(newKey+",", 9), ",")} {
		if _, err := signedurl.New(texts); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d keys: %v", len(texts), err)
		}
	}
}
