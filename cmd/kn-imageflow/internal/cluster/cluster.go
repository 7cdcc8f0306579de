// Package cluster makes the typed clients of a cluster.
package cluster

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	eventing "knative.dev/eventing/pkg/client/clientset/versioned"
	serving "knative.dev/serving/pkg/client/clientset/versioned"
)

// Selection says which cluster and which deployment in it are meant.
type Selection struct {
	// Kubeconfig is the path of a kubeconfig. Empty means KUBECONFIG, then ~/.kube/config, then the account of a pod.
	Kubeconfig string
	// Context is a context of the kubeconfig. Empty means its current one.
	Context string
	// Namespace is the namespace of the deployment.
	Namespace string
}

// In returns lines for a shell with the flags in which the selection differs from what kubectl and kn imageflow select without
// flags, so that no line reaches another cluster.
func (s Selection) In(lines string) string {
	flags := ""
	for _, f := range [][2]string{{"--kubeconfig", s.Kubeconfig}, {"--context", s.Context}} {
		if f[1] != "" {
			flags += f[0] + "='" + strings.ReplaceAll(f[1], "'", `'\''`) + "' "
		}
	}
	return strings.NewReplacer("kubectl ", "kubectl "+flags, "kn imageflow ", "kn imageflow "+flags).Replace(lines)
}

// Clients are the clients of one deployment.
type Clients struct {
	Kube     kubernetes.Interface
	Serving  serving.Interface
	Eventing eventing.Interface
	// Dynamic reads objects of kinds without a client of their own.
	Dynamic dynamic.Interface
	// Config is the configuration from which the clients were made, for connections to pods.
	Config *rest.Config
	// Namespace is the namespace of the deployment.
	Namespace string
}

// Connect makes the clients of a selection. It sends no request.
func (s Selection) Connect() (*Clients, error) {
	if s.Namespace == "" { // which would mean all namespaces in lists
		return nil, errors.New("--namespace is empty: name the namespace of the deployment")
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: s.Context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster is selected: %w; name one with --kubeconfig and --context", err)
	}
	// The commands of an operator read a few lists at once.
	config.QPS, config.Burst = 50, 100
	c := &Clients{Config: config, Namespace: s.Namespace}
	if c.Kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if c.Serving, err = serving.NewForConfig(config); err != nil {
		return nil, err
	}
	if c.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	c.Eventing, err = eventing.NewForConfig(config)
	return c, err
}
