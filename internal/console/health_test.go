package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// rolesUnderTest answers all probes: by path, or else that the role is ready. An answer without a status never comes.
type rolesUnderTest struct {
	mu     sync.Mutex
	byPath map[string]*roleAnswer
}

func (a *rolesUnderTest) set(path string, answer *roleAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byPath = map[string]*roleAnswer{path: answer}
}

// roleAnswer is what a role answers; nil refuses the connection.
type roleAnswer struct {
	status int
	text   string
}

func answerOf(status int, text string) *roleAnswer { return &roleAnswer{status, text} }

func (a *rolesUnderTest) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	answer, ok := a.byPath[r.URL.Path]
	a.mu.Unlock()
	switch {
	case !ok && strings.HasPrefix(r.URL.Path, processorHealth):
		answer = answerOf(http.StatusOK, `{"status": "SERVING"}`)
	case !ok:
		answer = answerOf(http.StatusOK, "ok")
	case answer == nil:
		return nil, errors.New("connection refused")
	case answer.status == 0:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: answer.status, Body: io.NopCloser(strings.NewReader(answer.text))}, nil
}

// lettersGateway has a number of dead letters.
type lettersGateway struct {
	imageflowv1.ExecutionServiceClient
	count int
}

func (g lettersGateway) ListDeadLetters(
	_ context.Context, r *imageflowv1.ListDeadLettersRequest, _ ...grpc.CallOption,
) (*imageflowv1.ListDeadLettersResponse, error) {
	list := &imageflowv1.ListDeadLettersResponse{DeadLetters: make([]*imageflowv1.DeadLetter, min(g.count, int(r.GetPageSize())))}
	if g.count > len(list.DeadLetters) {
		list.NextPageToken = "more"
	}
	return list, nil
}

// healthConsole returns a console whose roles answer as these do.
func healthConsole(t *testing.T, answers *rolesUnderTest, letters int) *Console {
	t.Helper()
	s, err := New(Config{
		Executions: lettersGateway{count: letters}, Gateway: answers, MaxPages: 10, HealthPeriod: HealthPeriod,
		Probes: map[string]string{"bridge": "http://bridge/ready", "gateway": "http://other/ready"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.roles {
		s.roles[i].send = answers
	}
	return s
}

// pageOf returns a page, which must not have waited.
func pageOf(t *testing.T, s *Console, path string) string {
	t.Helper()
	w, start := httptest.NewRecorder(), time.Now()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if took := time.Since(start); took != 0 || w.Code != http.StatusOK {
		t.Fatalf("%s: status %d after %v", path, w.Code, took)
	}
	return w.Body.String()
}

// TestHealth_roleDown: pages do not wait for roles, and a role that is down, or hangs, is shown on an open page within 10 s.
func TestHealth_roleDown(t *testing.T) {
	for name, answer := range map[string]*roleAnswer{"refused": nil, "hangs": {}, "unready": answerOf(503, "model <missing>")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := &rolesUnderTest{}
				s := healthConsole(t, answers, 3)
				if page := pageOf(t, s, "/"); !strings.Contains(page, "unknown: gateway, resize, detect, filter, bridge, gateway") {
					t.Errorf("at first: %s", page)
				}
				ctx, leave := context.WithCancel(t.Context())
				w, ended := httptest.NewRecorder(), make(chan bool)
				go func() {
					defer close(ended)
					s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/live?view=strip", nil).WithContext(ctx))
				}()
				time.Sleep(10 * time.Second)
				page := pageOf(t, s, "/")
				for _, want := range []string{"all is well", "ready: gateway, resize", "dead letters: 3", "availability 100 %"} {
					if !strings.Contains(page, want) {
						t.Errorf("when all are ready, %q is missing: %s", want, page)
					}
				}
				answers.set("/ready", answer)
				time.Sleep(9 * time.Second)
				leave()
				<-ended
				if live := w.Body.String(); !strings.Contains(live, "down: bridge, gateway") || strings.Contains(live, "<missing>") {
					t.Errorf("the open page got %s", live)
				}
				page = pageOf(t, s, "/health")
				if !strings.Contains(page, "bad: bridge, gateway, availability") || strings.Contains(page, "<missing>") {
					t.Errorf("when two are down: %s", page)
				}
				time.Sleep(time.Hour) // nobody looks
				if page := pageOf(t, s, "/"); !strings.Contains(page, "not all is known yet") {
					t.Errorf("after an hour: %s", page)
				}
				time.Sleep(deadLetterLimit)
			})
		})
	}
}

// TestProbe: what a role answers is its readiness. Without the gateway nothing is known of a processor.
func TestProbe(t *testing.T) {
	for _, c := range []struct {
		answer      *roleAnswer
		isProcessor bool
		want        verdict
		detail      string
	}{
		{answerOf(200, "anything"), false, good, ""},
		{answerOf(503, "draining"), false, bad, "status 503: draining"},
		{answerOf(302, ""), false, bad, "status 302"},
		{nil, false, bad, "connection refused"},
		{nil, true, unknown, "connection refused"},
		{answerOf(200, `{"status":"SERVING"}`), true, good, ""},
		{answerOf(200, `{"status":"NOT_SERVING"}`), true, bad, "NOT_SERVING"},
		{answerOf(503, `{"code":14,"message":"resize cannot be reached"}`), true, bad, "status 503: resize cannot be reached"},
		{answerOf(429, ""), true, unknown, "busy"},
		{answerOf(200, strings.Repeat(" ", maxProbeBytes)+`{"status":"SERVING"}`), true, bad, "not serving"},
	} {
		answers := &rolesUnderTest{}
		answers.set("/x", c.answer)
		p := roleProbe{url: "/x", send: answers, isProcessor: c.isProcessor}
		if got, detail := p.ask(t.Context()); got != c.want || !strings.Contains(detail, c.detail) || len(detail) > 300 {
			t.Errorf("%v: %s %q, want %s %q", c.answer, got, detail, c.want, c.detail)
		}
	}
}

// TestDeadLetters_many: more than a page are shown as such.
func TestDeadLetters_many(t *testing.T) {
	s := healthConsole(t, &rolesUnderTest{}, 501)
	if err := s.countDeadLetters(t.Context()); err != nil || *s.deadLetters.Load() != "500+" {
		t.Errorf("%q, %v", *s.deadLetters.Load(), err)
	}
}

// samplesOf returns so many equal events of a time.
func samplesOf(at time.Time, count int, kind sampleKind, isFault bool, took time.Duration) (all []sample) {
	x := &series{kind: kind, isFault: isFault}
	for range count {
		all = append(all, sample{series: x, at: at.UnixMilli(), took: float32(took.Seconds())})
	}
	return all
}

// TestLevels: each service level is good at its limit and bad beyond it, and unknown without a measurement.
func TestLevels(t *testing.T) {
	now := time.Now()
	slow, fast := probe{isReady: true, isProcessor: true, took: 0.051}, probe{isReady: true, isProcessor: true, took: 0.049}
	completed := samplesOf(now, 999, completedSample, false, time.Second)
	for _, c := range []struct {
		what    string
		level   level
		verdict verdict
		value   string
	}{
		{"no probe", availability(nil), unknown, "none"},
		{"one of two", availability([]probe{fast, {}}), bad, "50 %"},
		{"fast", overhead([]probe{fast, {took: 9}}), good, "49 ms"},
		{"slow", overhead([]probe{slow}), bad, "51 ms"},
		{"no image", throughput(nil, now), unknown, "none"},
		{"on their way", throughput(samplesOf(now, 10, uploadSample, false, 0), now), good, "0/s"},
		{"stuck", throughput(samplesOf(now, 12, uploadSample, false, 0), now), bad, "0/s"},
		{"above the objective", throughput(slices.Concat(samplesOf(now, 9000, uploadSample, false, 0), completed), now), good, "17/s"},
		{"one fault of 1000", faults(slices.Concat(completed, samplesOf(now, 1, failedSample, true, 0))), good, "0.1 %"},
		{"two faults", faults(slices.Concat(completed, samplesOf(now, 2, failedSample, true, 0))), bad, "0.2 %"},
		{"bad images", faults(slices.Concat(completed, samplesOf(now, 500, failedSample, false, 0))), good, "0 %"},
		{"fast executions", pipelineTime(completed), good, "1.0 s"},
		{"slow executions", pipelineTime(samplesOf(now, 3, completedSample, false, 4*time.Second)), bad, "4.0 s"},
		{"failed ones only", pipelineTime(samplesOf(now, 3, failedSample, false, 4*time.Second)), unknown, "none"},
	} {
		if c.level.Verdict != c.verdict || c.level.Value != c.value {
			t.Errorf("%s: %s %s, want %s %s", c.what, c.level.Verdict, c.level.Value, c.verdict, c.value)
		}
	}
}
