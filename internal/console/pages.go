package console

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// pages are the templates of the pages, by name. Each has the layout and the fragments.
type pages map[string]*template.Template

// parsePages reads templates/*.html: layout.html, fragments.html and strip.html are part of each of the others.
func parsePages(files fs.FS) (pages, error) {
	common, err := template.New("layout.html").Funcs(functions).ParseFS(files,
		"templates/layout.html", "templates/fragments.html", "templates/strip.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for _, name := range names {
		page, err := common.Clone()
		if err == nil {
			page, err = page.ParseFS(files, name)
		}
		if err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return all, nil
}

// page is what the layout shows.
type page struct {
	Title, Path string
	Nav         []link
	// IsOpen means that the page is shown without the token, so it shows nothing of the system.
	IsOpen bool
	Health *health // of the strip
	Data   any
}

// link is an entry of the navigation.
type link struct{ Path, Title string }

var navigation = []link{
	{"/", "Try"}, {"/executions", "Executions"}, {deadLettersPath, "Dead letters"}, {"/chain", "Chain"}, {"/bench", "Bench"},
	{modelsPath, "Models"}, {"/health", "Health"},
}

// show answers with a page.
func (s *Console) show(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	p := page{Title: title, Path: r.URL.Path, Nav: navigation, IsOpen: !s.isSignedIn(r), Data: data}
	if !p.IsOpen {
		p.Health = s.health()
	}
	s.write(w, r, status, name, "layout.html", p)
}

// write answers with a template of a page.
func (s *Console) write(w http.ResponseWriter, r *http.Request, status int, name, part string, data any) {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, part, data); err != nil {
		slog.ErrorContext(r.Context(), "page not made", "page", name, "error", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// fragment returns a fragment of the pages as one line of HTML.
func (s *Console) fragment(name string, data any) ([]byte, error) {
	return s.part("fragments", name, data)
}

// part returns a template of a page as one line of HTML.
func (s *Console) part(page, name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := s.pages[page].ExecuteTemplate(&b, name, data)
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte(" ")), err
}

// fail answers with a page that says what went wrong.
func (s *Console) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	s.show(w, r, status, "error", http.StatusText(status), message)
}

// functions are the functions of the templates.
var functions = template.FuncMap{
	"status": statusWord, "icon": statusIcon, "bytes": byteCount, "ms": milliseconds, "seconds": seconds, "ago": ago,
	"visible": visible, "clock": clock, "percent": percent,
}

var statusWords = map[imageflowv1.ProcessingStatus]string{
	imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING:   "pending",
	imageflowv1.ProcessingStatus_PROCESSING_STATUS_RUNNING:   "running",
	imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED: "completed",
	imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED:    "failed",
}

func statusWord(status imageflowv1.ProcessingStatus) string { return statusWords[status] }

// statusIcon returns a character that shows a status without colours.
func statusIcon(status imageflowv1.ProcessingStatus) string {
	return map[string]string{"pending": "○", "running": "◐", "completed": "●", "failed": "✕"}[statusWords[status]]
}

func byteCount(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func milliseconds(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func seconds(s float64) string { return duration(time.Duration(s * float64(time.Second))) }

func duration(d time.Duration) string {
	if d < time.Second {
		return milliseconds(float64(d) / float64(time.Millisecond))
	}
	return d.Round(100 * time.Millisecond).String()
}

func ago(at time.Time) string {
	d := time.Since(at)
	switch {
	case at.Unix() <= 0:
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func clock(at time.Time) string {
	if at.Unix() <= 0 {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// percent returns a part of a whole for a width in SVG, 0 to 100.
func percent(part, whole float64) string {
	if !(whole > 0) || math.IsInf(whole, 1) || math.IsInf(part, 0) {
		return "0"
	}
	return fmt.Sprintf("%.2f", 100*part/whole)
}

// visible returns a text of a stranger in which characters that have no form, or turn the direction of writing, are
// visible as their code points.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
