package console

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// deadLetterGroup has the dead letters of one step with the same status and, apart from what differs from image to image,
// the same reason.
type deadLetterGroup struct {
	Step    string
	Code    int32
	Reason  string // of the newest
	Members []deadLetter
	// First and Last are when the first one failed at first, and the last one at last.
	First, Last time.Time
}

// DOM returns the id of the group's element in a page.
func (g *deadLetterGroup) DOM() string {
	return domID("g", g.Step, strconv.Itoa(int(g.Code)), g.Members[0].GetId())
}

// IsShort reports whether the members are shown without being asked for.
func (g *deadLetterGroup) IsShort() bool { return len(g.Members) <= 10 }

// Sendable returns the members that a replay of the whole group sends: not those that are being sent.
func (g *deadLetterGroup) Sendable() (all []deadLetter) {
	for _, d := range g.Members {
		if d.GetReplayable() && !d.GetInReplay() {
			all = append(all, d)
		}
	}
	return all
}

// groupDeadLetters returns dead letters in groups, the group of the last failure first.
func groupDeadLetters(all []*imageflowv1.DeadLetter) (groups []*deadLetterGroup) {
	type kind struct {
		step, reason string
		code         int32
	}
	known := map[kind]*deadLetterGroup{}
	for _, d := range all {
		k := kind{d.GetStep(), reasonKind(d), d.GetCode()}
		if known[k] == nil {
			known[k] = &deadLetterGroup{Step: d.GetStep(), Code: d.GetCode(), First: d.GetFirstFailedAt().AsTime()}
			groups = append(groups, known[k])
		}
		known[k].add(d)
	}
	slices.SortStableFunc(groups, func(a, b *deadLetterGroup) int { return b.Last.Compare(a.Last) })
	return groups
}

func (g *deadLetterGroup) add(d *imageflowv1.DeadLetter) {
	g.Members = append(g.Members, deadLetter{d})
	if first := d.GetFirstFailedAt().AsTime(); first.Before(g.First) {
		g.First = first
	}
	if last := d.GetLastFailedAt().AsTime(); len(g.Members) == 1 || last.After(g.Last) {
		g.Last, g.Reason = last, d.GetReason()
	}
}

// The parts of a reason that differ from image to image: keys of objects, ids, and numbers.
var (
	keyLike    = regexp.MustCompile(`[\pL\pN._%+@=-]+(?:/[\pL\pN._%+@=-]+)+\.[\pL\pN]{2,5}\b`)
	idLike     = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9A-Za-z_-]{8,}`)
	numberLike = regexp.MustCompile(`\d+(?:\.\d+)*`)
)

// reasonKind returns the reason of a dead letter without what differs from image to image.
func reasonKind(d *imageflowv1.DeadLetter) string {
	text := d.GetReason()
	texts := []string{d.GetObjectKey(), d.GetExecutionId(), d.GetEtag(), d.GetEventId(), d.GetId()}
	slices.SortFunc(texts, func(a, b string) int { return len(b) - len(a) }) // a short one may be a part of a longer one
	for _, own := range texts {
		for _, form := range []string{own, strings.Trim(strconv.Quote(own), `"`), url.PathEscape(own), url.QueryEscape(own)} {
			text = replaceWord(text, form, "…")
		}
	}
	text = keyLike.ReplaceAllString(text, "…")
	text = idLike.ReplaceAllStringFunc(text, func(word string) string {
		if strings.ContainsAny(word, "0123456789") {
			return "…"
		}
		return word
	})
	text = numberLike.ReplaceAllString(text, "…")
	return strings.Join(strings.Fields(text), " ")
}

// replaceWord replaces a word where it is not a part of a longer one.
func replaceWord(text, word, by string) string {
	if word == "" {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, word)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if isWordRune(last) || isWordRune(next) {
			b.WriteString(word)
		} else {
			b.WriteString(by)
		}
		text = after
	}
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
