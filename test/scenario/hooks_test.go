package scenario

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// hookSecret is the key of webhooks, from the example of the Standard Webhooks specification.
const hookSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// delivery is a message that a webhook got.
type delivery struct{ path, id, kind, execution string }

// shop receives webhooks. It answers the first messages at a path with the given statuses.
type shop struct {
	*httptest.Server
	mu       sync.Mutex
	statuses map[string][]int
	got      []delivery
}

func newShop(t *testing.T, statuses map[string][]int) *shop {
	s := &shop{statuses: statuses}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		checkHook(t, r.Header, body)
		var m struct {
			Type string
			Data struct {
				Execution string `json:"execution_id"`
			}
		}
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, delivery{r.URL.Path, r.Header.Get("Webhook-Id"), m.Type, m.Data.Execution})
		if left := s.statuses[r.URL.Path]; len(left) > 0 {
			s.statuses[r.URL.Path] = left[1:]
			w.WriteHeader(left[0])
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// checkHook checks the signature of a message as the specification defines it.
func checkHook(t *testing.T, header http.Header, body []byte) {
	key, err := base64.StdEncoding.DecodeString(hookSecret)
	if err != nil {
		t.Error(err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", header.Get("Webhook-Id"), header.Get("Webhook-Timestamp"), body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); header.Get("Webhook-Signature") != want {
		t.Errorf("the signature is %q, want %q", header.Get("Webhook-Signature"), want)
	}
}

// deliveries returns what a path got for an execution.
func (s *shop) deliveries(path, execution string) (found []delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.got {
		if d.path == path && d.execution == execution {
			found = append(found, d)
		}
	}
	return found
}

func (s *shop) environment() []string {
	secret := "whsec_" + hookSecret
	return []string{
		"HOOK_URLS=shop=" + s.URL + "/shop progress=" + s.URL + "/progress",
		"HOOK_SECRETS=shop=" + secret + " progress=" + secret, "SWEEP_INTERVAL=0",
	}
}

// TestWebhooks: a webhook gets one message for each completed chain, and another one for each upload and
// step.
func TestWebhooks(t *testing.T) {
	shop := newShop(t, nil)
	s := local(t, setup{env: shop.environment(), flags: []string{"--eventing", "eventing,eventing/examples/webhooks"}})
	for i := range 3 {
		s.put(t, fmt.Sprintf("in/%d.jpg", i), "image/jpeg", jpegOf(t, 600, 400))
	}
	for i := range 3 {
		execution := fmt.Sprintf("in/%d", i)
		eventually(t, "the messages about "+execution, func() bool {
			return len(shop.deliveries("/shop", execution)) == 1 && len(shop.deliveries("/progress", execution)) == 4
		})
	}
	ids := map[string]bool{}
	for _, d := range shop.got {
		ids[d.path+d.id] = true
	}
	if len(ids) != 3*5 {
		t.Errorf("%d different ids in %+v", len(ids), shop.got)
	}
	resp, err := http.Get(s.url("metrics", "/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := `imageflow_webhook_duration_seconds_count{hook="shop",`; !strings.Contains(string(metrics), want) {
		t.Errorf("the metrics have no %s", want)
	}
}

// TestWebhooksThatFail: a message is sent again until the receiver accepts it. After a refusal, it is a
// dead letter, which a replay sends. Neither changes the outcome of the chain.
func TestWebhooksThatFail(t *testing.T) {
	shop := newShop(t, map[string][]int{"/shop": {500, 429}, "/progress": {410}})
	s := local(t, setup{env: shop.environment(), flags: []string{"--eventing", "eventing,eventing/examples/webhooks"}})
	s.put(t, "cat.jpg", "image/jpeg", jpegOf(t, 600, 400))
	eventually(t, "the third delivery", func() bool { return len(shop.deliveries("/shop", "cat")) == 3 })
	if all := shop.deliveries("/shop", "cat"); all[0] != all[1] || all[1] != all[2] {
		t.Errorf("the deliveries of one message differ: %+v", all)
	}
	eventually(t, "the end of the chain", func() bool { return s.tag(t, "cat.jpg") == "completed" })
	d := deployment{system: *s}
	var letters map[string]deadLetter
	eventually(t, "the dead letter", func() bool { letters = d.deadLetters(t); return len(letters) == 1 })
	if got := letters["cat.jpg"].Reason; !strings.Contains(got, "webhook progress: the receiver answered 410") {
		t.Errorf("the dead letter says %q", got)
	}
	refused := shop.deliveries("/progress", "cat")[0]
	s.replay(t)
	eventually(t, "the replayed message", func() bool {
		repeated := 0
		for _, d := range shop.deliveries("/progress", "cat") {
			if d == refused {
				repeated++
			}
		}
		return repeated == 2 && len(d.deadLetters(t)) == 0
	})
	if got := s.tag(t, "cat.jpg"); got != "completed" {
		t.Errorf("the status is %q", got)
	}
}

// replay sends the dead letters of local mode again.
func (s *system) replay(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(binaries, "imageflow"), "replay", "--all")
	cmd.Env = append(cmd.Environ(), "MINIO_ENDPOINT="+s.addresses["s3"], "MINIO_ACCESS_KEY="+accessKey,
		"MINIO_SECRET_KEY="+secretKey, "BROKER_URL="+s.url("broker", "/image-processing/default"),
		"EVENT_SIGNING_KEYS="+string(bytes.TrimSpace([]byte(s.key(t)))))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
