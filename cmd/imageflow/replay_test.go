package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/testing/stores"
)

func TestReplayFlags(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		args  string
		wrong string // part of the error; empty means none
		since time.Time
		until time.Time
	}{
		{args: "", wrong: "--all, --execution ID or --since TIME"},
		{args: "--dry-run", wrong: "--all, --execution ID or --since TIME"},
		{args: "--all --execution cat", wrong: "one of"},
		{args: "--all --until 1h", wrong: "--until needs"},
		{args: "--all extra", wrong: `"extra"`},
		{args: "--since yesterday", wrong: `"yesterday"`},
		{args: "--since -5m", wrong: `"-5m"`},
		{args: "--since 1h --until 2h", wrong: "before"},
		{args: "--all --wait 0s", wrong: "--wait"},
		{args: "--all"},
		{args: "--execution uploads/cat --bucket b"},
		{args: "--since 90m", since: now.Add(-90 * time.Minute)},
		{args: "--since 2026-11-25T03:00:00Z --until 1h", since: now.Add(-9 * time.Hour), until: now.Add(-time.Hour)},
	} {
		r, err := parseReplay(strings.Fields(c.args), io.Discard, now)
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: got %v, want an error with %q", c.args, err, c.wrong)
			}
		case err != nil:
			t.Errorf("%q: %v", c.args, err)
		case !r.Selection.Since.Equal(c.since) || !r.Selection.Until.Equal(c.until):
			t.Errorf("%q: from %v to %v", c.args, r.Selection.Since, r.Selection.Until)
		}
	}
}

// startReplayTarget starts a store with dead letters and a broker that rejects the
// event of one, and sets the environment to them.
func startReplayTarget(t *testing.T, refused string) {
	t.Helper()
	c, store := stores.Start(t, stores.Local, "images", "dead")
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ce-Subject") == refused {
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(broker.Close)
	for name, value := range map[string]string{
		"EVENT_SIGNING_KEYS": "a key of events for these tests only",
		"MINIO_ENDPOINT":     c.Endpoint, "MINIO_ACCESS_KEY": c.AccessKey, "MINIO_SECRET_KEY": c.SecretKey,
		"BROKER_URL": broker.URL, "DEAD_LETTER_BUCKET": "dead",
	} {
		t.Setenv(name, value)
	}
	letters := execution.NewDeadLetterStore(store, "dead")
	for _, id := range []string{"ant", "cat", "dog"} {
		event := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":%q}`, id)
		err := letters.Put(t.Context(), &execution.DeadLetter{
			Execution: id, Bucket: "images", EventID: "1", Reason: "not an image", Event: json.RawMessage(event),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := letters.Put(t.Context(), &execution.DeadLetter{Reason: "no JSON", Message: "?"}); err != nil {
		t.Fatal(err)
	}
}

// TestReplay_brokerRejectsOneEvent replays three dead letters; the broker rejects the event of one.
func TestReplay_brokerRejectsOneEvent(t *testing.T) {
	startReplayTarget(t, "dog")
	for _, step := range []struct {
		args   string
		fails  bool
		prints []string
	}{
		{"--execution none", false, []string{"0 sent, 0 failed, 0 skipped"}},
		{"--all --dry-run", false, []string{
			"would send  images/cat/1.json  (not an image)", "skipped     unreadable/", "3 would be sent, 0 failed, 1 skipped",
		}},
		{"--execution ant", false, []string{"sent        images/ant/1.json", "1 sent, 0 failed, 0 skipped"}},
		{"--since 1h", true, []string{
			"sent        images/cat/1.json", "FAILED      images/dog/1.json  (not an image): the broker answered 503",
			"1 sent, 1 failed, 1 skipped",
		}},
		{"--all --dry-run", false, []string{"1 would be sent, 0 failed, 1 skipped"}},
	} {
		var out strings.Builder
		err := run(context.Background(), append([]string{"replay"}, strings.Fields(step.args)...), &out)
		if (err != nil) != step.fails {
			t.Errorf("%s: %v", step.args, err)
		}
		for _, line := range step.prints {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%s printed\n%s, want %q in it", step.args, out.String(), line)
			}
		}
	}
}

func TestReplay_help(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"replay", "--help"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"-execution", "-dry-run", "BROKER_URL", "DEAD_LETTER_BUCKET"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the help lacks %s", word)
		}
	}
}
