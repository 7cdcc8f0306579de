// Podmonitor prints the configuration of Prometheus that the Prometheus operator makes of a PodMonitor, by the operator's own
// code: podmonitor FILE.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "podmonitor:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: podmonitor FILE")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	monitor := &monitoring.PodMonitor{}
	if err := yaml.UnmarshalStrict(text, monitor); err != nil {
		return err
	}
	server := &monitoring.Prometheus{
		ObjectMeta: meta.ObjectMeta{Name: "prometheus", Namespace: "observability"},
		Spec: monitoring.PrometheusSpec{
			CommonPrometheusFields: monitoring.CommonPrometheusFields{
				Version: "v3.5.0", ScrapeInterval: "30s", PodMonitorSelector: &meta.LabelSelector{},
			},
			EvaluationInterval: "5s",
			RuleSelector:       &meta.LabelSelector{},
		},
	}
	generator, err := prometheus.NewConfigGenerator(nil, server)
	if err != nil {
		return err
	}
	monitors := map[string]*monitoring.PodMonitor{monitor.Namespace + "/" + monitor.Name: monitor}
	config, err := generator.GenerateServerConfiguration(server, nil, monitors, nil, nil,
		assets.NewTestStoreBuilder(), nil, nil, nil, []string{"imageflow"})
	if err != nil {
		return err
	}
	// The operator's side-car replaces these in each pod of Prometheus.
	_, err = strings.NewReplacer("$(SHARD)", "0", "$(POD_NAME)", "prometheus-0").WriteString(os.Stdout, string(config))
	return err
}
