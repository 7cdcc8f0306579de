// Package signedurl signs URLs, so that their holders can read what they name until they expire.
//
// The signature is the HMAC-SHA256 of the canonical form of the path and the query, in base64url without padding. It
// is the parameter sig of the query. The canonical form is
//
//	<path>?<name>=<value>&<name>=<value>...
//
// with all parameters but sig, sorted by name and then by value. Path, names and values are decoded and then encoded
// as UTF-8, with all bytes but A-Z a-z 0-9 - _ . ~ as %XX in upper case; the slashes of the path are kept. A space is
// %20. So it does not matter in which order and how the parameters of a URL are written. The parameter expires has the
// time in seconds since 1970 from which the URL is not valid any more.
package signedurl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The parameters of a signed URL.
const (
	Signature = "sig"
	Expires   = "expires"
)

const (
	// minKeyBytes is the output size of SHA-256. A shorter key would weaken the signature.
	minKeyBytes = 32
	// maxKeys bounds the work of a verification.
	maxKeys = 8
)

// The errors of Verify. Their texts contain no part of a key or of a signature.
var (
	ErrInvalid = errors.New("sig: the signature is not valid for this URL")
	ErrExpired = errors.New("expires: the URL has expired")
)

// Keys sign with the first key and verify with all, so that a key can be replaced without an outage.
type Keys struct{ keys [][]byte }

// New returns the keys of their texts. The errors name a key by its number.
func New(texts []string) (*Keys, error) {
	if len(texts) == 0 || len(texts) > maxKeys {
		return nil, fmt.Errorf("%d keys are given but 1 to %d are needed", len(texts), maxKeys)
	}
	k := &Keys{}
	for i, text := range texts {
		text = strings.TrimSpace(text)
		if text == "" {
			return nil, fmt.Errorf("key %d is empty: remove the comma before or after it", i+1)
		}
		if len(text) < minKeyBytes {
			return nil, fmt.Errorf("key %d has %d bytes but needs at least %d", i+1, len(text), minKeyBytes)
		}
		k.keys = append(k.keys, []byte(text))
	}
	return k, nil
}

// Sign returns the canonical form of a path and its parameters, with the signature. A path without escapes is given.
func (k *Keys) Sign(path string, parameters url.Values) string {
	text := canonical(path, parameters)
	return text + "&" + Signature + "=" + signature(k.keys[0], text)
}

// Verify returns when the URL of a path without escapes and its parameters expires. The error is ErrInvalid if
// none of the keys has signed them, and ErrExpired if the URL is valid no more.
func (k *Keys) Verify(path string, parameters url.Values, now time.Time) (expires time.Time, err error) {
	text, given := canonical(path, parameters), []byte(parameters.Get(Signature))
	isOf := func(key []byte) bool { return hmac.Equal(given, []byte(signature(key, text))) }
	if len(parameters[Signature]) != 1 || !slices.ContainsFunc(k.keys, isOf) {
		return expires, ErrInvalid
	}
	seconds, err := strconv.ParseUint(parameters.Get(Expires), 10, 63) // ParseInt would take a plus sign
	if err != nil || len(parameters[Expires]) != 1 {
		return expires, errors.New("expires: must be given once, in seconds since 1970")
	}
	if expires = time.Unix(int64(seconds), 0); !now.Before(expires) {
		return expires, ErrExpired
	}
	return expires, nil
}

func signature(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// canonical returns the text that is signed.
func canonical(path string, parameters url.Values) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		for _, value := range slices.Sorted(slices.Values(parameters[name])) {
			if name != Signature {
				pairs = append(pairs, encode(name, "")+"="+encode(value, ""))
			}
		}
	}
	return encode(path, "/") + "?" + strings.Join(pairs, "&")
}

// encode encodes all bytes of a text but the unreserved ones of RFC 3986 and those to keep.
func encode(text, keep string) string {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
	var b strings.Builder
	for _, c := range []byte(text) {
		if strings.IndexByte(unreserved+keep, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
