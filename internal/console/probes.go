package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	readinessPath   = "/health/readiness"
	processorHealth = "/v1/health/"
	// maxProbeBytes bounds the answer to a probe, of which the rest is not read.
	maxProbeBytes = 4 << 10
)

// roleProbe asks one role whether it is ready.
type roleProbe struct {
	name, url string
	// send is the gateway's transport, for a URL with only a path, or that of all others.
	send http.RoundTripper
	// isProcessor means that the gateway asks the role, and that the answer is a HealthCheckResponse.
	isProcessor bool
}

// roleProbes returns a probe for each role: the gateway, the processors, which the gateway asks, and others by their URLs.
func roleProbes(c Config) (all []roleProbe) {
	all = append(all, roleProbe{name: "gateway", url: readinessPath, send: c.Gateway})
	for _, name := range stepNames {
		all = append(all, roleProbe{name: name, url: processorHealth + name, send: c.Gateway, isProcessor: true})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Probes)) {
		all = append(all, roleProbe{name: name, url: c.Probes[name], send: http.DefaultTransport})
	}
	return all
}

// unknownRoles returns all roles, of which nothing is known.
func (s *Console) unknownRoles() (roles []roleHealth) {
	for _, p := range s.roles {
		asked := p.url
		if p.url[0] == '/' {
			asked = "GET " + p.url + " of the gateway"
		}
		roles = append(roles, roleHealth{
			Name: p.name, Verdict: unknown, Detail: "not asked yet", Asked: asked, isProcessor: p.isProcessor,
		})
	}
	return roles
}

// askRoles asks all roles at the same time. It returns when all have answered or the context has ended.
func (s *Console) askRoles(ctx context.Context) []roleHealth {
	roles := s.unknownRoles()
	var all sync.WaitGroup
	for i := range roles {
		all.Go(func() {
			start := time.Now()
			roles[i].Verdict, roles[i].Detail = s.roles[i].ask(ctx)
			roles[i].Took = time.Since(start)
		})
	}
	all.Wait()
	return roles
}

// ask returns the readiness of a role, and why it is not ready.
func (p roleProbe) ask(ctx context.Context) (verdict, string) {
	silent := bad
	if p.isProcessor {
		silent = unknown // the gateway is silent, not the processor
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil || p.send == nil {
		return unknown, "it cannot be asked"
	}
	answer, err := p.send.RoundTrip(r)
	if err != nil && ctx.Err() != nil {
		return silent, fmt.Sprintf("no answer in %v", healthLimit)
	}
	if err != nil {
		return silent, "no answer: " + err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxProbeBytes))
	switch {
	case answer.StatusCode == http.StatusTooManyRequests:
		return unknown, "busy"
	case err != nil || answer.StatusCode != http.StatusOK:
		return bad, fmt.Sprintf("status %d: %.200s", answer.StatusCode, reasonIn(text))
	case p.isProcessor && !isServing(text):
		return bad, fmt.Sprintf("not serving: %.200s", text)
	}
	return good, ""
}

// reasonIn returns the message of an error of the gateway, or else the whole text.
func reasonIn(text []byte) string {
	var e struct{ Message string }
	_ = json.Unmarshal(text, &e) // of other roles the answer is plain text
	return cmp.Or(e.Message, string(text))
}

func isServing(text []byte) bool {
	var answer struct{ Status string }
	return json.Unmarshal(text, &answer) == nil && answer.Status == "SERVING"
}

// probeLog has the answers of the last minutes.
type probeLog struct {
	mu     sync.Mutex
	probes []probe
}

// probe is the answer of one role.
type probe struct {
	at          time.Time
	isReady     bool
	isProcessor bool
	took        float32 // in seconds; negative unless it was ready
}

// add adds answers, forgets old ones, and returns all. Those of which nothing is known do not count.
func (l *probeLog) add(now time.Time, roles []roleHealth) []probe {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probes = slices.DeleteFunc(l.probes, func(p probe) bool { return now.Sub(p.at) > windowSpan })
	for _, r := range roles {
		p := probe{at: now, isReady: r.Verdict == good, isProcessor: r.isProcessor, took: -1}
		if p.isReady {
			p.took = float32(r.Took.Seconds())
		}
		if r.Verdict != unknown {
			l.probes = append(l.probes, p)
		}
	}
	return slices.Clone(l.probes)
}
