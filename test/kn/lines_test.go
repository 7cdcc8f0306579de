package kn_test

import (
	"regexp"
	"sync"
	"testing"
	"time"
)

// lines collects the output of a command that goes on.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

// waitFor waits until the expression matches what is written.
func waitFor(t *testing.T, l *lines, expression string) {
	t.Helper()
	want := regexp.MustCompile(expression)
	matches := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return want.Match(l.text)
	}
	for end := time.Now().Add(time.Minute); !matches(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the command has printed\n%s\nwant %s", l.text, expression)
		}
	}
}
