package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// HealthPeriod is a good Config.HealthPeriod: a role that is down is shown so within 8 s, with healthLimit for the answer and
	// pollEvery for the page.
	HealthPeriod = 5 * time.Second
	healthLimit  = 2 * time.Second
	// deadLetterPeriods is longer, since the gateway reads each dead letter to list them, and deadLetterLimit bounds the answer.
	deadLetterPeriods = 6
	deadLetterLimit   = 20 * time.Second
	deadLetterPage    = 500

	healthView = "health"
	stripView  = "strip"
)

// verdict is whether something is as it should be.
type verdict string

const (
	good    verdict = "good"
	bad     verdict = "bad"
	unknown verdict = "unknown"
)

// Icon returns a character that shows a verdict without colours.
func (v verdict) Icon() string { return map[verdict]string{good: "●", bad: "✕", unknown: "?"}[v] }

// health is what the strip and the page of health show. It never changes.
type health struct {
	Roles  []roleHealth
	Levels []level
	// InProgress is the number of executions without an outcome.
	InProgress  int
	DeadLetters string
}

// roleHealth is the readiness of a role.
type roleHealth struct {
	Name    string
	Verdict verdict
	// Detail says why it is not ready, and Asked whom the console asks.
	Detail, Asked string
	Took          time.Duration
	isProcessor   bool
}

// Word returns the readiness of a role.
func (r roleHealth) Word() string {
	return map[verdict]string{good: "ready", bad: "down", unknown: "unknown"}[r.Verdict]
}

// health returns what is known now, without waiting.
func (s *Console) health() *health {
	if s.healthAsked.ask() {
		return s.healthNow.Load()
	}
	return s.newHealth(s.unknownRoles(), nil)
}

// askHealth sets the health as it is now.
func (s *Console) askHealth(ctx context.Context) error {
	now := time.Now()
	s.deadLettersAsked.ask() // so that they are often known when the roles are
	roles := s.askRoles(ctx)
	s.healthNow.Store(s.newHealth(roles, s.probes.add(now, roles)))
	return nil
}

func (s *Console) newHealth(roles []roleHealth, probes []probe) *health {
	now := time.Now()
	h := &health{
		Roles: roles, Levels: levelsOf(probes, s.feed.recent(windowSpan), now), DeadLetters: "unknown",
		InProgress: s.feed.inProgress(now.Add(-windowSpan)),
	}
	if s.deadLettersAsked.ask() {
		h.DeadLetters = *s.deadLetters.Load()
	}
	return h
}

// countDeadLetters sets the number of dead letters: those of the first page, with a + if there are more.
func (s *Console) countDeadLetters(ctx context.Context) error {
	list, err := s.config.Executions.ListDeadLetters(ctx, &imageflowv1.ListDeadLettersRequest{PageSize: deadLetterPage})
	if err != nil {
		return err
	}
	text := fmt.Sprint(len(list.GetDeadLetters()))
	if list.GetNextPageToken() != "" {
		text += "+"
	}
	s.deadLetters.Store(&text)
	return nil
}

// inProgress returns the number of executions without an outcome of which an event came after a time.
func (f *feed) inProgress(after time.Time) (count int) {
	for _, r := range f.since(after) {
		if r.Status == imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING ||
			r.Status == imageflowv1.ProcessingStatus_PROCESSING_STATUS_RUNNING {
			count++
		}
	}
	return count
}

// Verdict returns bad if a role is down or a service level is missed, unknown if a role is unknown, and else good.
func (h *health) Verdict() verdict {
	all := good
	for _, r := range h.Roles {
		if r.Verdict == bad {
			return bad
		}
		if r.Verdict == unknown {
			all = unknown
		}
	}
	if slices.ContainsFunc(h.Levels, func(l level) bool { return l.Verdict == bad }) {
		return bad
	}
	return all
}

// Summary returns the verdict in words.
func (h *health) Summary() string {
	var names []string
	for _, r := range h.Roles {
		if r.Verdict == bad {
			names = append(names, r.Name)
		}
	}
	for _, l := range h.Levels {
		if l.Verdict == bad {
			names = append(names, l.Name)
		}
	}
	switch {
	case len(names) > 0:
		return "bad: " + strings.Join(names, ", ")
	case h.Verdict() == unknown:
		return "not all is known yet"
	}
	return "all is well"
}

// roleGroup are the roles with one verdict.
type roleGroup struct {
	Verdict verdict
	Word    string
	Names   string
}

// Groups returns the roles by their verdicts, those that are down first.
func (h *health) Groups() (groups []roleGroup) {
	for _, v := range []verdict{bad, unknown, good} {
		var names []string
		for _, r := range h.Roles {
			if r.Verdict == v {
				names = append(names, r.Name)
			}
		}
		if len(names) > 0 {
			groups = append(groups, roleGroup{v, roleHealth{Verdict: v}.Word(), strings.Join(names, ", ")})
		}
	}
	return groups
}

// healthEvents returns a fragment as a server-sent event.
func (s *Console) healthEvents(fragment string) []string {
	html, err := s.fragment(fragment, s.health())
	if err != nil {
		return nil
	}
	return []string{fmt.Sprintf("data: %s\n\n", html)}
}

// healthPage shows the health with the definitions of its figures.
func (s *Console) healthPage(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "health", "Health", s.health())
}

// Minutes returns how far the figures look back.
func (h *health) Minutes() int { return int(windowSpan.Minutes()) }
