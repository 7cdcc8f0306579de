package scenario

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/testing/otlp"
)

var prometheusConfig = flag.String("prometheus", "", "the configuration of a Prometheus on the cluster, see make observe")

// observability is the namespace of Jaeger and Prometheus, which config/ expects.
const observability = "observability"

const jaegerAddress = "jaeger." + observability + ".svc.cluster.local:16686"

func needsObservability(t testing.TB) {
	t.Helper()
	if !*onCluster || *prometheusConfig == "" {
		t.Skip("needs a cluster with the images of Jaeger and Prometheus: make observe")
	}
}

// TestObservedTrace: on a cluster with the settings of config/, an upload is one trace in a real Jaeger, through all
// queue-proxies, both parts of the broker and all our parts, and each span is a child of its cause.
func TestObservedTrace(t *testing.T) {
	needsObservability(t)
	s := cluster(t)
	observe(t, "jaeger", "http://"+jaegerAddress+"/api/services")
	traceKnative(t)
	tag, plugin := runningTag(t), buildPlugin(t)
	t.Cleanup(func() { install(t, plugin, "config/overlays/test", tag) })
	install(t, plugin, "test/scenario/testdata/observed", tag)
	for _, service := range serviceOf { // the pods may change once more, as their queue-proxy gets its settings
		kubectl(t, "rollout", "status", "-n", namespace, "deployment/"+latest(t, service)+"-deployment", "--timeout", "2m")
	}
	keys := []string{"uploads/warm.jpg", "uploads/sample.jpg"}
	for _, key := range keys {
		s.put(t, key, "image/jpeg", sample(t))
		eventually(t, "the end", func() bool { return s.tag(t, key) == "completed" })
	}
	var traces [][]otlp.Span
	var missing []string
	deadline := time.Now().Add(time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(time.Second) {
		traces, missing = uploadTraces(t)
		if len(traces) == len(keys) && len(missing) == 0 {
			break
		}
	}
	if len(traces) != len(keys) || len(missing) > 0 {
		t.Fatalf("Jaeger has %d traces of uploads, want %d; their first lacks %q", len(traces), len(keys), missing)
	}
	last := traces[0]
	if traces[1][0].Start.After(last[0].Start) {
		last = traces[1]
	}
	for _, path := range paths(last) {
		if strings.HasPrefix(path, "?") {
			t.Errorf("a span without its cause: %s", path)
		}
	}
	parts := overview(last)
	drawTrace(t, fmt.Sprintf("One upload of a 1920×1080 JPEG on a cluster: trace %s, %d of %d spans",
		last[0].Trace, len(parts), len(last)), parts)
}

// overview leaves out of a trace what Knative's parts do inside, and the Triggers that do not select the event.
func overview(trace []otlp.Span) (parts []otlp.Span) {
	kept, parent := map[string]bool{}, map[string]string{}
	for _, span := range trace {
		parent[span.ID] = span.Parent
		part := span
		switch name, _, _ := strings.Cut(span.Name, "."+namespace); {
		case strings.HasPrefix(span.Service, "imageflow-"):
		case span.Name == "kn.queueproxy.proxy":
			part.Service, part.Name = "queue-proxy", span.Service
		case strings.HasPrefix(span.Name, "broker:"),
			strings.HasPrefix(span.Name, "trigger:") && span.End.Sub(span.Start) > time.Millisecond:
			part.Name = name
		default:
			continue
		}
		kept[span.ID] = true
		parts = append(parts, part)
	}
	for i := range parts {
		for parts[i].Parent != "" && !kept[parts[i].Parent] {
			parts[i].Parent = parent[parts[i].Parent]
		}
	}
	return parts
}

// uploadTraces returns the traces that have a step, and the services that any of them lacks.
func uploadTraces(t *testing.T) (traces [][]otlp.Span, missing []string) {
	t.Helper()
	for _, trace := range askJaeger(t, jaegerAddress) {
		has := map[string]bool{}
		for _, span := range trace {
			has[span.Service] = true
		}
		if !has["imageflow-resize"] {
			continue
		}
		traces = append(traces, trace)
		for _, want := range []string{
			"imageflow-bridge", "imageflow-resize", "imageflow-detect", "imageflow-filter",
			serviceOf["bridge"], serviceOf["resize"], serviceOf["detect"], serviceOf["filter"], // the queue-proxies
			"broker.ingress", "broker.filter",
		} {
			if !has[want] && !slices.Contains(missing, want) {
				missing = append(missing, want)
			}
		}
	}
	return traces, missing
}

// observe deploys testdata/NAME.yaml in the namespace observability, until the test ends, and waits until a URL answers.
func observe(t testing.TB, name, url string) {
	t.Helper()
	file := "testdata/" + name + ".yaml"
	kubectl(t, "apply", "--filename", file)
	t.Cleanup(func() { kubectl(t, "delete", "--ignore-not-found", "--filename", file) })
	kubectl(t, "rollout", "status", "-n", observability, "deployment/"+name, "--timeout", "2m")
	eventually(t, name, func() bool {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
}

// traceKnative makes Knative trace all requests and events, until the test ends: the commands of config/README.md, and
// another rate.
func traceKnative(t testing.TB) {
	t.Helper()
	both := func(option, patch string) {
		for _, system := range []string{"knative-serving", "knative-eventing"} {
			kubectl(t, "patch", "configmap", "-n", system, "config-observability", "--type", "merge", option, patch)
		}
	}
	restart := func() { // they read the settings when they start
		kubectl(t, "rollout", "restart", "-n", "knative-serving", "deployment/activator")
		kubectl(t, "rollout", "restart", "-n", "knative-eventing",
			"deployment/mt-broker-ingress", "deployment/mt-broker-filter", "deployment/imc-dispatcher")
		for _, name := range []string{"mt-broker-ingress", "mt-broker-filter", "imc-dispatcher"} {
			kubectl(t, "rollout", "status", "-n", "knative-eventing", "deployment/"+name, "--timeout", "2m")
		}
		kubectl(t, "rollout", "status", "-n", "knative-serving", "deployment/activator", "--timeout", "2m")
	}
	t.Cleanup(func() {
		both("--patch", `{"data": {"tracing-protocol": null, "tracing-endpoint": null, "tracing-sampling-rate": null}}`)
		restart()
	})
	both("--patch-file", "../../config/cluster/tracing.yaml")
	both("--patch", `{"data": {"tracing-sampling-rate": "1"}}`)
	restart()
}

// TestObservedMetrics: a real Prometheus, with the configuration that the Prometheus operator makes of
// config/monitoring/pods.yaml, finds every pod and scrapes it; each panel of the dashboard shows something, and each rule
// can be evaluated.
func TestObservedMetrics(t *testing.T) {
	needsObservability(t)
	s := cluster(t)
	config, err := os.ReadFile(*prometheusConfig)
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "create", "namespace", observability)
	t.Cleanup(func() { kubectl(t, "delete", "namespace", observability) })
	configMap := func(name, file string, text []byte) any {
		return map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": observability},
			"data": map[string]any{file: string(text)},
		}
	}
	applyObjects(t, configMap("prometheus", "prometheus.yaml", config), configMap("rules", "rules.yaml", rules(t)))
	p := &watcher{address: "prometheus." + observability + ".svc.cluster.local:9090"}
	observe(t, "prometheus", "http://"+p.address+"/-/ready")
	t.Cleanup(func() { // before Prometheus goes
		if t.Failed() {
			t.Logf("up: %v\n%s", p.query(t, "up"), kubectl(t, "logs", "-n", observability, "deployment/prometheus", "--tail=20"))
		}
	})
	for part, service := range serviceOf {
		eventually(t, "the pod of "+part, func() bool {
			points := p.query(t, `up{service="`+service+`", revision="`+latest(t, service)+`"}`)
			return len(points) > 0 && !slices.ContainsFunc(points, func(p point) bool { return p.Value[1] != "1" })
		})
	}
	s.showsOn(t, p)
	if wrong := p.unhealthy(t); len(wrong) > 0 {
		t.Errorf("rules that cannot be evaluated: %q", wrong)
	}
	if absent := p.query(t, `ALERTS{alertname="ImageFlowNotMeasured"}`); len(absent) > 0 {
		t.Errorf("the alert ImageFlowNotMeasured is pending: %v", absent)
	}
}
