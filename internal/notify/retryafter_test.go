package notify_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// A receiver cannot stop the retries by an absurd Retry-After: brokers get seconds, at most an hour.
func TestRetryAfterIsBounded(t *testing.T) {
	for header, want := range map[string][2]int{
		"7": {7, 7}, "0": {0, 0}, "86400": {3600, 3600}, "99999999999999999999": {3600, 3600},
		time.Now().Add(time.Minute).UTC().Format(http.TimeFormat): {30, 60},
		"Sun, 06 Nov 1994 08:49:37 GMT":                           {0, 0}, "Fri, 06 Nov 2893 08:49:37 GMT": {3600, 3600},
		"-5": {-1, -1}, "1e9": {-1, -1}, "soon": {-1, -1}, "": {-1, -1},
	} {
		r := newReceiver(t, http.StatusTooManyRequests)
		r.header.Set("Retry-After", header)
		got := send(t, handler(t, r.URL, loopback...), "hook=shop", finished(t)).Header.Get("Retry-After")
		seconds, err := strconv.Atoi(got)
		if got == "" {
			seconds, err = -1, nil
		}
		if err != nil || seconds < want[0] || seconds > want[1] {
			t.Errorf("%q became %q, want %v", header, got, want)
		}
	}
}
