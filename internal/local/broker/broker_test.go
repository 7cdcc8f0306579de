package broker_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/internal/local/broker"
)

func TestChainOfReplies(t *testing.T) {
	one, two, three := subscribe(t, reply("b")), subscribe(t, reply("c")), subscribe(t, nil)
	b := start(t, broker.Config{}, manifest("{retry: 0}",
		map[string]string{"one": on("a", one), "two": on("b", two), "three": on("c", three)}))
	h := headerOf("a")
	h.Set("Ce-Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	h.Set("Ce-Subject", "in/dir with space/ü+é&=%2F.jpg")
	body := `{"not": json`
	if code := send(t, b, h, body); code != http.StatusAccepted {
		t.Fatalf("the broker answered %d", code)
	}
	first := one.next(t)
	if first.body != body || first.attribute("Subject") != h.Get("Ce-Subject") ||
		first.header.Get("Content-Type") != "application/json" {
		t.Errorf("the event has changed: %v %q", first.header, first.body)
	}
	if first.header.Get("Prefer") != "reply" || first.attribute("Knativebrokerttl") != "" {
		t.Errorf("got %v", first.header)
	}
	two.next(t)
	last := three.next(t)
	if last.body != `{"from":"b"}` || last.attribute("Traceparent") != h.Get("Ce-Traceparent") {
		t.Errorf("got %v %q", last.header, last.body)
	}
	waitIdle(t, b)
	for _, s := range []*subscriber{one, two, three} {
		s.none(t, 0)
	}
}

func TestStructuredMode(t *testing.T) {
	s := subscribe(t, nil)
	b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	text := `{"specversion":"1.0","id":"1","type":"a","source":"/s","subject":"Straße 1%",` +
		`"partitionkey":"p","datacontenttype":"image/png","data_base64":"AAH/"}`
	if code := send(t, b, http.Header{"Content-Type": {"application/cloudevents+json"}}, text); code != http.StatusAccepted {
		t.Fatalf("the broker answered %d", code)
	}
	if d := s.next(t); d.body != "\x00\x01\xff" || d.attribute("Partitionkey") != "p" ||
		d.header.Get("Content-Type") != "image/png" {
		t.Errorf("got %v %q", d.header, d.body)
	} else if d.attribute("Subject") != "Stra%C3%9Fe%201%25" {
		t.Errorf("the subject is not encoded as in the HTTP binding: %q", d.attribute("Subject"))
	}
}

// ingressCases are requests to the ingress and its answers.
var ingressCases = map[string]struct {
	header http.Header
	body   string
	code   int
}{
	"no event": {http.Header{}, "x", 400},
	"no id":    {with("Ce-Id", ""), "", 400},
	"members twice": {of("application/cloudevents+json"),
		`{"specversion":"1.0","id":"1","id":"2","type":"a","source":"/s"}`, 400},
	"not UTF-8":        {of("application/cloudevents+json"), `{"specversion":"1.0","id":"\xff","type":"a","source":"/s"}`, 400},
	"an old version":   {with("Ce-Specversion", "0.3"), "", 400},
	"a malformed time": {with("Ce-Time", "noon"), "", 400},
	"text":             {of("application/cloudevents+json"), "{", 400},
	"a batch":          {of("application/cloudevents-batch+json"), "[]", 415},
	"a line break": {of("application/cloudevents+json"),
		`{"specversion":"1.0","id":"1","type":"a","source":"/s","subject":"a\nb"}`, 400},
	"large attributes": {of("application/cloudevents+json"),
		`{"specversion":"1.0","id":"1","type":"a","source":"/s","subject":"` + strings.Repeat("x", 65<<10) + `"}`, 400},
	"base64 after white space": {of("application/cloudevents+json"),
		`{"specversion": "1.0", "data_base64": "e30=", "id": "1", "type": "a", "source": "/s"}`, 202},
	"time to live used up": {with("Ce-Knativebrokerttl", "1"), "", 400},
	"a large one":          {headerOf("a"), strings.Repeat("x", 1<<20+1), 413},
	"just not too large":   {headerOf("a"), strings.Repeat("x", 1<<20), 202},
}

func with(name, value string) http.Header {
	h := headerOf("a")
	h.Set(name, value)
	return h
}

func of(contentType string) http.Header { return http.Header{"Content-Type": {contentType}} }

func TestIngress_invalidRequests(t *testing.T) {
	b := start(t, broker.Config{}, manifest("{retry: 0}", nil))
	for name, c := range ingressCases {
		if code := send(t, b, c.header, c.body); code != c.code {
			t.Errorf("%s: got %d, want %d", name, code, c.code)
		}
	}
	for path, code := range map[string]int{"/test/other": 404, "/": 404, "/test/default": 405} {
		method := http.MethodPost
		if code == 405 {
			method = http.MethodGet
		}
		req, _ := http.NewRequest(method, "http://"+b.Address()+path, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != code {
			t.Errorf("%s %s: got %d, want %d", method, path, resp.StatusCode, code)
		}
	}
}

func TestIngress_HTTP2(t *testing.T) {
	s := subscribe(t, nil)
	b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	defer client.CloseIdleConnections()
	req, _ := http.NewRequest(http.MethodPost, b.URL("test", "default"), strings.NewReader("{}"))
	req.Header = headerOf("a")
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode != http.StatusAccepted || resp.ProtoMajor != 2 {
		t.Fatalf("got %v, %v", resp, err)
	}
	resp.Body.Close()
	s.next(t)
}

func TestSlowSubscriber_doesNotDelayOthers(t *testing.T) {
	release := make(chan struct{})
	slow := subscribe(t, func(w http.ResponseWriter, _ *http.Request) { <-release; w.WriteHeader(http.StatusOK) })
	quick := subscribe(t, nil)
	defer close(release)
	b := start(t, broker.Config{Workers: 2}, manifest("{retry: 0}",
		map[string]string{"slow": on("a", slow), "quick": on("a", quick)}))
	for range 20 {
		publish(t, b, "a", "{}")
	}
	for range 20 {
		quick.next(t)
	}
	if n := len(slow.got); n > 2 {
		t.Errorf("%d concurrent deliveries to the slow subscriber, want at most 2", n)
	}
	counts, err := b.Pending(t.Context())
	if err != nil || counts["test/slow"] != 20 {
		t.Errorf("pending: %v, %v", counts, err)
	}
}

// TestLongDelivery_isNotRepeated: a delivery may take longer than AckWait.
func TestLongDelivery_isNotRepeated(t *testing.T) {
	s := subscribe(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * ackWait)
		w.WriteHeader(http.StatusOK)
	})
	b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	publish(t, b, "a", "{}")
	s.next(t)
	waitIdle(t, b)
	s.none(t, 100*time.Millisecond)
}

func TestManyEvents_deliveredOnce(t *testing.T) {
	var got sync.Map
	var doubled atomic.Int64
	s := subscribe(t, func(w http.ResponseWriter, r *http.Request) {
		if _, again := got.LoadOrStore(r.Header.Get("Ce-Id"), true); again {
			doubled.Add(1)
		}
		w.WriteHeader(http.StatusOK)
	})
	b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s), "other": on("b", s)}))
	var group sync.WaitGroup
	for p := range 8 {
		group.Go(func() {
			for i := range 50 {
				h := headerOf("a")
				h.Set("Ce-Id", fmt.Sprint(p, "-", i))
				if code := send(t, b, h, "{}"); code != http.StatusAccepted {
					t.Errorf("the broker answered %d", code)
				}
			}
		})
	}
	group.Wait()
	for range 400 {
		s.next(t)
	}
	waitIdle(t, b)
	if n := doubled.Load(); n > 0 {
		t.Errorf("%d were delivered twice", n)
	}
}

func TestFullStore_producersReceiveAnError(t *testing.T) {
	block := make(chan struct{})
	s := subscribe(t, func(http.ResponseWriter, *http.Request) { <-block })
	defer close(block)
	b := start(t, broker.Config{MaxBytes: 100 << 10, Workers: 1}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	code := 0
	for range 30 {
		if code = send(t, b, headerOf("a"), strings.Repeat("x", 10<<10)); code != http.StatusAccepted {
			break
		}
	}
	if code != http.StatusInsufficientStorage {
		t.Errorf("got %d, want 507", code)
	}
}

// TestFullDisk: accepted events are delivered, and the broker continues after there is
// space again.
func TestFullDisk(t *testing.T) {
	open := make(chan struct{})
	s := subscribe(t, func(http.ResponseWriter, *http.Request) { <-open })
	b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	for range 20 {
		publish(t, b, "a", "{}")
	}
	before := b.SetReserve(1 << 62)
	if code := send(t, b, headerOf("a"), "{}"); code != http.StatusInsufficientStorage {
		t.Errorf("got %d, want 507", code)
	}
	close(open)
	waitIdle(t, b)
	b.SetReserve(before)
	publish(t, b, "a", "{}")
	waitIdle(t, b)
	if n := len(s.got); n != 21 {
		t.Errorf("%d deliveries, want 21", n)
	}
}

// TestDeliveredEventsAreRemoved sends many times the size of the store through it.
func TestDeliveredEventsAreRemoved(t *testing.T) {
	s := subscribe(t, nil)
	b := start(t, broker.Config{MaxBytes: 100 << 10},
		manifest("{retry: 0}", map[string]string{"t": on("a", s), "other": on("b", s)}))
	for range 25 {
		publish(t, b, "a", strings.Repeat("x", 10<<10))
		s.next(t)
		waitIdle(t, b)
	}
}

func TestLoopEnds(t *testing.T) {
	s, dead := subscribe(t, reply("a")), subscribe(t, nil)
	b := start(t, broker.Config{MaxReplies: 5}, manifest(sink(dead, "retry: 0"), map[string]string{"t": on("a", s)}))
	publish(t, b, "a", "{}")
	d := dead.next(t)
	if code := d.attribute("Knativeerrorcode"); code != "508" || !strings.Contains(errorData(t, d), "chain of replies") {
		t.Errorf("got %v", d.header)
	}
	waitIdle(t, b)
	if n := len(s.got); n != 5 {
		t.Errorf("%d deliveries, want 5", n)
	}
}

func TestStart_addressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = broker.Start(t.Context(), broker.Config{Address: l.Addr().String(), Dir: t.TempDir(),
		Manifests: &broker.Manifests{}, Resolve: none})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}
