package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"imageflow.dev/internal/testing/freeport"
)

// TestDashboardShows scrapes a working local mode with a real Prometheus, and runs the query of
// every panel and every rule. It needs the Prometheus that `make monitoring-test` fetches.
func TestDashboardShows(t *testing.T) {
	home := os.Getenv("PROMETHEUS_HOME")
	if home == "" {
		t.Skip("PROMETHEUS_HOME is not set; make monitoring-test sets it")
	}
	s := local(t, setup{env: []string{"SWEEP_INTERVAL=100ms"}})
	p := watch(t, filepath.Join(home, "prometheus"), s.addresses["metrics"])
	eventually(t, "a first look", func() bool { return len(p.query(t, "imageflow_job_active_limit")) > 0 })
	s.showsOn(t, p)
	if wrong := p.unhealthy(t); len(wrong) > 0 {
		t.Errorf("rules that cannot be evaluated: %q", wrong)
	}
}

// showsOn makes traffic until every panel of the dashboard shows something on this Prometheus.
func (s *system) showsOn(t testing.TB, p *watcher) {
	t.Helper()
	rounds := 0
	traffic := func() { // calls that succeed and fail by each protocol, and a dead letter
		rounds++
		cat, notes := fmt.Sprintf("cat-%d.jpg", rounds), fmt.Sprintf("notes-%d.jpg", rounds)
		s.put(t, cat, "image/jpeg", jpegOf(t, 900, 900))
		s.put(t, notes, "image/jpeg", []byte("dear diary"))
		eventually(t, "the ends", func() bool { return s.tag(t, cat) == "completed" && s.tag(t, notes) == "failed" })
		post(t, http.DefaultClient, s.url("gateway", "/v1/pipeline"), fmt.Sprintf(
			`{"input_image":{"bucket":%q,"object_key":%q},"execution_id":"mine-%d",`+
				`"steps":[{"resize":{"target_width":100}},{"detect":{}}]}`, bucket, cat, rounds), nil)
		post(t, http.DefaultClient, s.url("gateway", "/v1/resize"), `{}`, nil)
	}
	traffic()
	for _, panel := range panels(t) {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$__range", "5m").Replace(target.Expr)
			eventually(t, fmt.Sprintf("panel %q, %s", panel.Title, expr), func() bool {
				if shows(p.query(t, expr)) {
					return true
				}
				traffic()
				return false
			})
		}
	}
}

// shows reports whether a panel has data to draw.
func shows(points []point) bool {
	for _, p := range points {
		if p.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// panel is a panel of the dashboard.
type panel struct {
	Type, Title string
	Targets     []struct{ Expr string }
}

func panels(t testing.TB) []panel {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "monitoring", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, p := range dashboard.Panels {
		if queries += len(p.Targets); p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks nothing", p.Title)
		}
	}
	if queries < 30 {
		t.Errorf("%d queries", queries)
	}
	return dashboard.Panels
}

// watcher is a Prometheus.
type watcher struct{ address string }

// rules returns the alert rules as a file of Prometheus.
func rules(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "monitoring", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Spec any `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.Marshal(manifest.Spec); err != nil {
		t.Fatal(err)
	}
	return text
}

// watch starts a Prometheus that looks at the address every second, with our
// rules.
func watch(t testing.TB, binary, address string) *watcher {
	t.Helper()
	folder := t.TempDir()
	text := rules(t)
	config := fmt.Sprintf(`{global: {scrape_interval: 1s, evaluation_interval: 1s}, rule_files: [rules.yaml],
		scrape_configs: [{job_name: imageflow, static_configs: [{targets: [%q]}]}]}`, address)
	for name, content := range map[string]string{"rules.yaml": string(text), "prometheus.yaml": config} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := &watcher{address: freeport.Address()}
	cmd := exec.Command(binary, "--config.file="+filepath.Join(folder, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+w.address, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "Prometheus", func() bool {
		resp, err := http.Get("http://" + w.address + "/-/ready")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return w
}

// point is one series of an answer, and its value now.
type point struct {
	Metric map[string]string
	Value  [2]any
}

func (w *watcher) query(t testing.TB, expr string) []point {
	t.Helper()
	var answer struct {
		Error string
		Data  struct{ Result []point }
	}
	w.ask(t, "/api/v1/query?query="+url.QueryEscape(expr), &answer)
	if answer.Error != "" {
		t.Fatalf("%s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}

// unhealthy lists the rules that Prometheus could not evaluate.
func (w *watcher) unhealthy(t testing.TB) (names []string) {
	t.Helper()
	type rule struct{ Name, Health, LastError string }
	var answer struct {
		Data struct{ Groups []struct{ Rules []rule } }
	}
	w.ask(t, "/api/v1/rules", &answer)
	for _, group := range answer.Data.Groups {
		for _, r := range group.Rules {
			if r.Health == "err" {
				names = append(names, r.Name+": "+r.LastError)
			}
		}
	}
	if len(answer.Data.Groups) == 0 {
		t.Error("Prometheus has no rules")
	}
	return names
}

func (w *watcher) ask(t testing.TB, path string, answer any) {
	t.Helper()
	resp, err := http.Get("http://" + w.address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatal(err)
	}
}
