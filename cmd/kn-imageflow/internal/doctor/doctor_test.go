package doctor

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"

	"imageflow.dev/internal/processors"
)

// diagnose makes all checks once.
func (d *deployment) diagnose() (results []Result) {
	d.t.Helper()
	if err := d.Run(d.t.Context(), Options{}, func(r Result) { results = append(results, r) }); err != nil {
		d.t.Error(err)
	}
	return results
}

// failed returns the results of failed checks.
func failed(results []Result) []Result {
	return slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Status == OK })
}

func TestDoctor_completeDeployment(t *testing.T) {
	results := newDeployment(t).diagnose()
	if wrong := failed(results); len(wrong) > 0 || len(results) != len(checks) {
		t.Errorf("%d results, %+v", len(results), wrong)
	}
}

// expect checks that doctor reports exactly the named checks, the first one with the texts, and with fixes that a shell can read.
func (d *deployment) expect(names string, wants ...string) {
	d.t.Helper()
	wrong := failed(d.diagnose())
	var found []string
	for _, r := range wrong {
		found = append(found, r.Check)
		if out, err := exec.CommandContext(d.t.Context(), "bash", "-n", "-c", r.Fix).CombinedOutput(); err != nil || r.Fix == "" {
			d.t.Errorf("%s: the fix is no shell: %v\n%s\n%s", r.Check, err, r.Fix, out)
		}
	}
	if got := strings.Join(found, " "); got != names {
		d.t.Errorf("doctor reports %q, want %q:\n%+v", got, names, wrong)
	}
	if len(wrong) == 0 {
		return
	}
	for _, want := range wants {
		if !strings.Contains(wrong[0].Text+"\n"+wrong[0].Fix, want) {
			d.t.Errorf("doctor reports\n%s\n%s\nwant %q", wrong[0].Text, wrong[0].Fix, want)
		}
	}
}

// TestDoctor_brokenDeployments breaks a deployment in one way after another: doctor finds each, says its fix, and reports nothing
// else but what follows from it.
func TestDoctor_brokenDeployments(t *testing.T) {
	for name, c := range brokenDeployments {
		t.Run(name, func(t *testing.T) {
			d := newDeployment(t)
			c.change(d)
			d.expect(c.checks, c.wants...)
		})
	}
}

// TestDoctor_unreachableCluster makes only the first check.
func TestDoctor_unreachableCluster(t *testing.T) {
	d := newDeployment(t)
	d.fail("list", "nodes", "connection refused")
	results := d.diagnose()
	if r := results[0]; r.Status != Missing || r.Text != "connection refused" || !strings.Contains(r.Fix, "kubectl config") {
		t.Errorf("got %+v", r)
	}
	for _, r := range results[1:] {
		if r.Status != Skipped {
			t.Errorf("got %+v", r)
		}
	}
}

// TestDoctor_skip leaves checks out, and refuses names that do not exist.
func TestDoctor_skip(t *testing.T) {
	d := newDeployment(t)
	d.exec["setup"] = "error: no bucket"
	var results []Result
	err := d.Run(t.Context(), Options{Skip: []string{"store"}}, func(r Result) { results = append(results, r) })
	if wrong := failed(results); err != nil || len(wrong) != 1 || wrong[0].Status != Skipped {
		t.Errorf("got %v, %+v", err, wrong)
	}
	err = d.Run(t.Context(), Options{Skip: []string{"stor"}}, func(Result) {})
	if err == nil || !strings.Contains(err.Error(), `no check "stor"; there are cluster, knative,`) {
		t.Errorf("got %v", err)
	}
}

// TestDoctor_collisionNeedsOneFix: a variant of the newer Trigger also separates the outputs of the steps after it.
func TestDoctor_collisionNeedsOneFix(t *testing.T) {
	d := newDeployment(t)
	d.addTrigger("small", resizeService, "/?target_width=320")
	fix := failed(d.diagnose())[0].Fix
	if strings.Count(fix, "kubectl") != 1 {
		t.Errorf("the fix is\n%s", fix)
	}
	d.trigger("small", func(t *eventingv1.Trigger) { t.Spec.Subscriber.URI.RawQuery = "target_width=320&variant=small" })
	d.expect("chains")
}

// TestDoctor_wait repeats a check until it succeeds, and says once what it waits for.
func TestDoctor_wait(t *testing.T) {
	d := newDeployment(t)
	d.exec["setup"] = "error: no bucket"
	var out bytes.Buffer
	o := Options{Wait: 60e9, Waiting: func(check, reason string) {
		out.WriteString(check + ": " + reason + "\n")
		d.exec["setup"] = "the store is ready"
	}}
	var results []Result
	err := d.Run(t.Context(), o, func(r Result) { results = append(results, r) })
	if err != nil || len(failed(results)) > 0 || out.String() != "store: no bucket\n" {
		t.Errorf("got %v, %+v\n%s", err, failed(results), out.String())
	}
}

// TestDoctor_formatsWithoutPods: a Service without pods is no fault.
func TestDoctor_formatsWithoutPods(t *testing.T) {
	d := newDeployment(t)
	d.removePod(resizeService)
	for _, r := range d.diagnose() {
		if r.Status != OK || r.Check == "formats" && !strings.Contains(r.Text, "no pod of resize runs") {
			t.Errorf("got %+v", r)
		}
	}
}

// TestDoctor_outputsOfPresets: outputs in the formats of two presets have two names. Without the presets, doctor says that it
// does not know.
func TestDoctor_outputsOfPresets(t *testing.T) {
	d := newDeployment(t)
	file := "presets:\n  web: {filter: {filter_type: FILTER_TYPE_BLUR, intensity: 1, output_image: {content_type: image/webp}}}\n" +
		"  print: {filter: {filter_type: FILTER_TYPE_BLUR, intensity: 1, output_image: {content_type: image/png}}}\n"
	setPresets := func(m *corev1.ConfigMap) { m.Data["presets.yaml"] = file }
	d.configMap(testNamespace, "presets", setPresets)
	d.addTrigger("web", processors.Filter.Host, "/?preset=web&variant=shop")
	d.addTrigger("print", processors.Filter.Host, "/?preset=print&variant=shop")
	d.expect("chains")
	d.trigger("print", func(t *eventingv1.Trigger) { t.Spec.Subscriber.URI.RawQuery += "&output_image.content_type=image/webp" })
	d.expect("outputs chains", "filter-grpc-service writes <execution id>_filter-shop twice")
	file = "presets:\n  web: {filter: {filter_typ: 1}}\n"
	d.configMap(testNamespace, "presets", setPresets)
	d.expect("presets chains", "filter_typ: no such parameter")
	const want = "not known without the presets and pipelines that print, web name: file presets.yaml of configmap presets-"
	if r := d.diagnose()[slices.Index(Names(), "outputs")]; !strings.HasPrefix(r.Text, want) {
		t.Errorf("got %+v, want %s", r, want)
	}
}
