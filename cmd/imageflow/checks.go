package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"imageflow.dev/internal/processors"
)

const (
	deploy    = "make deploy, or kubectl apply -k config/overlays/..."
	readFirst = "see config/README.md"
)

func (c *cluster) reachable(ctx context.Context) (string, *finding) {
	var nodes list
	if err := c.get(ctx, &nodes, "nodes"); err != nil {
		return "", &finding{err.Error(), "select a cluster for kubectl: KUBECONFIG, kubectl config use-context"}
	}
	return fmt.Sprintf("%d node(s)", len(nodes.Items)), nil
}

func (c *cluster) knative(ctx context.Context) (string, *finding) {
	kinds := []string{"services.serving.knative.dev", "brokers.eventing.knative.dev", "triggers.eventing.knative.dev"}
	if _, err := c.run(ctx, append([]string{"get", "crd"}, kinds...)...); err != nil {
		return "", &finding{err.Error(), "install Knative Serving and Eventing: https://knative.dev/docs/install"}
	}
	return "Serving and Eventing", nil
}

func (c *cluster) features(ctx context.Context) (string, *finding) {
	var config object
	if err := c.get(ctx, &config, "configmap", "config-features", "--namespace", "knative-serving"); err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	for _, flag := range []string{"kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"} {
		if config.Data[flag] != "enabled" {
			return "", &finding{
				flag + " is not enabled; detect needs it to select GPU nodes",
				"kubectl patch configmap -n knative-serving config-features --patch-file config/cluster/config-features.yaml",
			}
		}
	}
	return "nodeSelector and tolerations are allowed", nil
}

func (c *cluster) namespaced(ctx context.Context) (string, *finding) {
	if _, err := c.run(ctx, "get", "namespace", c.namespace); err != nil {
		return "", &finding{err.Error(), deploy}
	}
	return c.namespace, nil
}

func (c *cluster) secrets(ctx context.Context) (string, *finding) {
	wanted := map[string][]string{
		"minio-credentials": {"access-key", "secret-key"}, "bridge-token": {"token"}, "event-signing-keys": {"keys"},
	}
	for name, keys := range wanted {
		var secret object
		fix := fmt.Sprintf("kubectl create secret generic -n %s %s --from-literal=%s=...",
			c.namespace, name, strings.Join(keys, "=... --from-literal="))
		if err := c.get(ctx, &secret, "secret", name, "--namespace", c.namespace); err != nil {
			return "", &finding{err.Error(), fix}
		}
		for _, key := range keys {
			if secret.Data[key] == "" {
				return "", &finding{fmt.Sprintf("secret %s has no %s", name, key), fix}
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(wanted)), ", "), nil
}

const gpuResource = "nvidia.com/gpu"

// gpu compares the GPUs that detect's pods request with the GPUs of the nodes.
func (c *cluster) gpu(ctx context.Context) (string, *finding) {
	var pods, nodes list
	err := c.get(ctx, &pods, "pods", "--namespace", c.namespace,
		"--selector", "serving.knative.dev/service="+processors.Detect.Host)
	if err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	requesting := slices.DeleteFunc(pods.Items, func(pod object) bool { return !pod.requestsGPU() })
	if len(requesting) == 0 {
		return "detect requests none", nil
	}
	if err := c.get(ctx, &nodes, "nodes"); err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	offering := slices.DeleteFunc(nodes.Items, func(node object) bool {
		n := node.Status.Allocatable[gpuResource]
		return n == "" || n == "0"
	})
	if len(offering) == 0 {
		return "", &finding{
			"detect requests " + gpuResource + " but no node offers any, so its pod stays Pending",
			"add a GPU node with NVIDIA's device plugin, or deploy with config/components/cpu or triton-elsewhere",
		}
	}
	for _, pod := range requesting {
		if !slices.ContainsFunc(offering, pod.selects) {
			return "", &finding{
				fmt.Sprintf("%d node(s) offer %s, but none has the labels that detect's pod selects: %s",
					len(offering), gpuResource, labels(pod.Spec.NodeSelector)),
				"kubectl label node NAME " + labels(pod.Spec.NodeSelector) + ", or install NVIDIA's GPU feature discovery",
			}
		}
	}
	return fmt.Sprintf("%d node(s) offer %s", len(offering), gpuResource), nil
}

// services also reports why the pods of a Service do not start, since Knative may
// take minutes to do so.
func (c *cluster) services(ctx context.Context) (string, *finding) {
	wanted := []string{"grpc-gateway", "bridge"}
	for _, p := range processors.All {
		wanted = append(wanted, p.Host)
	}
	pending := func(o object) string { return c.pending(ctx, o.Metadata.Name) }
	good, wrong := c.allReady(ctx, "services.serving.knative.dev", wanted, pending)
	if len(wrong) > 0 {
		return "", &finding{strings.Join(wrong, "\n"), deploy + "; kubectl describe pods -n " + c.namespace}
	}
	return good, nil
}

// pending returns why the pods of a Service are not scheduled.
func (c *cluster) pending(ctx context.Context, service string) string {
	var pods list
	selector := "serving.knative.dev/service=" + service
	if c.get(ctx, &pods, "pods", "--namespace", c.namespace, "--selector", selector) != nil {
		return ""
	}
	var reasons []string
	for _, pod := range pods.Items {
		for _, s := range pod.Status.Conditions {
			if s.Type == "PodScheduled" && s.Status == "False" {
				reasons = append(reasons, fmt.Sprintf("; pod %s: %s", pod.Metadata.Name, s.Message))
			}
		}
	}
	return strings.Join(reasons, "")
}

func (c *cluster) ingress(ctx context.Context) (string, *finding) {
	var config, gateway object
	if err := c.get(ctx, &config, "configmap", "config-network", "--namespace", "knative-serving"); err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	class := config.Data["ingress-class"]
	if class == "" {
		class = "istio.ingress.networking.knative.dev, Knative's default"
	}
	fix := "install an ingress for Knative and name it in ingress-class of configmap config-network in knative-serving"
	if err := c.get(ctx, &gateway, "routes.serving.knative.dev", "grpc-gateway", "--namespace", c.namespace); err != nil {
		return "", &finding{err.Error(), deploy}
	}
	for _, s := range gateway.Status.Conditions {
		if s.Type == "IngressReady" && s.Status != "True" {
			return "", &finding{fmt.Sprintf("class %s: %s %s", class, s.Reason, s.Message), fix}
		}
	}
	return fmt.Sprintf("%s; the gateway is at %s", class, gateway.Status.URL), nil
}

func (c *cluster) broker(ctx context.Context) (string, *finding) {
	var broker object
	if err := c.get(ctx, &broker, "brokers.eventing.knative.dev", "default", "--namespace", c.namespace); err != nil {
		return "", &finding{err.Error(), deploy}
	}
	class := broker.Metadata.Annotations["eventing.knative.dev/broker.class"]
	if reason := broker.unready(); reason != "" {
		return "", &finding{
			fmt.Sprintf("class %s: %s", class, reason),
			"install the broker of this class; config/components/kafka describes Kafka's",
		}
	}
	note := ""
	if class == "MTChannelBasedBroker" {
		note = " (keeps events in memory by default; the sweeper replaces lost ones)"
	}
	return class + note, nil
}

func (c *cluster) triggers(ctx context.Context) (string, *finding) {
	good, wrong := c.allReady(ctx, "triggers.eventing.knative.dev", nil, func(object) string { return "" })
	if good == "" && len(wrong) == 0 {
		wrong = []string{"no Trigger exists, so no upload is processed"}
	}
	if len(wrong) > 0 {
		return "", &finding{strings.Join(wrong, "\n"), "kubectl apply -f eventing"}
	}
	if twice := c.subscribedTwice(ctx); twice != "" {
		return "", &finding{
			"the broker's channel has the subscriber " + twice + " more than once and may answer 500 to every event" +
				" (Knative leaves duplicates when its OIDC is switched on or off)",
			"kubectl delete trigger,broker -n " + c.namespace + " --all, then deploy again",
		}
	}
	return good, nil
}

// subscribedTwice returns the name of a subscriber that the broker's in-memory
// channel has more than once. Other kinds of brokers have no such channel.
func (c *cluster) subscribedTwice(ctx context.Context) string {
	var channel struct {
		Spec struct{ Subscribers []struct{ Name string } }
	}
	text, err := c.run(ctx, "get", "inmemorychannels.messaging.knative.dev", "default-kne-trigger",
		"--namespace", c.namespace, "--output", "json")
	if err != nil || json.Unmarshal(text, &channel) != nil {
		return ""
	}
	seen := map[string]bool{}
	for _, s := range channel.Spec.Subscribers {
		if seen[s.Name] {
			return s.Name
		}
		seen[s.Name] = true
	}
	return ""
}

// store checks the store from the bridge's pod, which must reach it.
func (c *cluster) store(ctx context.Context) (string, *finding) {
	pod := c.runningPod(ctx, "bridge")
	if pod == "" {
		return "", &finding{"the store cannot be checked, since no pod of the bridge runs", deploy}
	}
	text, err := c.imageflow(ctx, pod, "bridge", "setup", "--check")
	if err != nil {
		return "", &finding{err.Error(), "run imageflow setup with an administrator's credentials, or deploy config/components/setup"}
	}
	return text, nil
}

// formats reports the formats of the deployed resize. It fails only if a pod does not answer,
// since a missing format may be intended.
func (c *cluster) formats(ctx context.Context) (string, *finding) {
	pod := c.runningPod(ctx, processors.Resize.Host)
	if pod == "" {
		return "not known, since no pod of resize runs; GET /v1/formats starts one and lists them", nil
	}
	text, err := c.imageflow(ctx, pod, processors.Resize.Name, "formats")
	if err != nil {
		return "", &finding{err.Error(), deploy}
	}
	return text, nil
}

// runningPod returns the name of a running pod of a Service, or an empty text if there is none.
func (c *cluster) runningPod(ctx context.Context, service string) string {
	var pods list
	err := c.get(ctx, &pods, "pods", "--namespace", c.namespace,
		"--selector", "serving.knative.dev/service="+service, "--field-selector", "status.phase=Running")
	if err != nil || len(pods.Items) == 0 {
		return ""
	}
	return pods.Items[0].Metadata.Name
}

// imageflow runs a command of imageflow in a container of a pod and returns its output.
func (c *cluster) imageflow(ctx context.Context, pod, container string, args ...string) (string, error) {
	text, err := c.run(ctx, append([]string{
		"exec", "--namespace", c.namespace, pod, "--container", container, "--", "/imageflow",
	}, args...)...)
	return strings.TrimSpace(string(text)), err
}
