package manifests_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	networkingv1 "k8s.io/api/networking/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/yaml"
)

func rules(t *testing.T) *monitoringv1.PrometheusRule {
	t.Helper()
	all := &monitoringv1.PrometheusRule{}
	find(t, "monitoring", "PrometheusRule", "imageflow").into(t, all)
	return all
}

// TestRules checks the rules and runs their tests with promtool, which `make monitoring-test`
// fetches.
func TestRules(t *testing.T) {
	home := os.Getenv("PROMETHEUS_HOME")
	if home == "" {
		t.Skip("PROMETHEUS_HOME is not set; make monitoring-test sets it")
	}
	folder := t.TempDir()
	text, err := yaml.Marshal(rules(t).Spec) // the content of a rule file
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"rules.yaml": text, "rules_test.yaml": read(t, "config/monitoring/rules_test.yaml"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		cmd := exec.Command(filepath.Join(home, "promtool"), args...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}

// TestEveryAlertIsExplained: every alert has a test, and the README says what to do.
func TestEveryAlertIsExplained(t *testing.T) {
	readme, tests := string(read(t, "config/monitoring/README.md")), string(read(t, "config/monitoring/rules_test.yaml"))
	alerts := 0
	for _, group := range rules(t).Spec.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				continue
			}
			alerts++
			if !strings.Contains(readme, "\n### "+rule.Alert+"\n") {
				t.Errorf("the README has no heading %s", rule.Alert)
			}
			if want := "config/monitoring/README.md#" + strings.ToLower(rule.Alert); rule.Annotations["runbook"] != want {
				t.Errorf("the runbook of %s is %q, want %q", rule.Alert, rule.Annotations["runbook"], want)
			}
			if fires := `alertname="` + rule.Alert + `", severity="` + rule.Labels["severity"] + `"`; !strings.Contains(tests, fires) {
				t.Errorf("no test has %s fire as %s", rule.Alert, rule.Labels["severity"])
			}
		}
	}
	if alerts < 14 {
		t.Errorf("%d alerts", alerts)
	}
}

// TestPodsAreMonitored: Prometheus finds each of our Services, at the port where
// the roles serve their metrics, outside the pod too, and may ask there; profiles
// stay in the pod.
func TestPodsAreMonitored(t *testing.T) {
	monitor, policy := &monitoringv1.PodMonitor{}, &networkingv1.NetworkPolicy{}
	find(t, "monitoring", "PodMonitor", "imageflow").into(t, monitor)
	find(t, "monitoring", "NetworkPolicy", "imageflow-metrics-in").into(t, policy)
	port := regexp.MustCompile(`METRICS_PORT .*\(default (\d+)\)`).FindStringSubmatch(usage(t, "resize"))
	if port == nil {
		t.Fatal("resize has no METRICS_PORT")
	}
	if got := *monitor.Spec.PodMetricsEndpoints[0].RelabelConfigs[0].Replacement; got != "${1}:"+port[1] {
		t.Errorf("Prometheus asks at %s, the roles serve at %s", got, port[1])
	}
	if got := policy.Spec.Ingress[0].Ports[0].Port.String(); got != port[1] {
		t.Errorf("the NetworkPolicy opens %s, not %s", got, port[1])
	}
	services := 0
	each(t, func(t *testing.T, o object) {
		if o.APIVersion != "serving.knative.dev/v1" {
			return
		}
		services++
		service := &servingv1.Service{}
		o.into(t, service)
		for key, value := range monitor.Spec.Selector.MatchLabels {
			if service.Spec.Template.Labels[key] != value {
				t.Errorf("pods of %v are not found: no label %s=%s", o, key, value)
			}
		}
		env := map[string]string{}
		for _, e := range service.Spec.Template.Spec.Containers[0].Env {
			env[e.Name] = e.Value
		}
		if env["METRICS_HOST"] != "0.0.0.0" || env["PPROF_ADDRESS"] != "" {
			t.Errorf("%v serves metrics at %q and profiles at %q", o, env["METRICS_HOST"], env["PPROF_ADDRESS"])
		}
	})
	if services < 5 {
		t.Errorf("%d Services", services)
	}
}

// usage returns the description of a role's environment, as the role prints it.
func usage(t *testing.T, role string) string {
	t.Helper()
	out, err := exec.Command(command(t), role, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
