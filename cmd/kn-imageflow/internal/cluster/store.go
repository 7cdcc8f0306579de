package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ComponentLabel is the label of Services and pods with the part that they play.
const ComponentLabel = "app.kubernetes.io/component"

// Account is a store and an account of it, as a deployment has them.
type Account struct {
	// Service is the Service whose account it is.
	Service string
	// Endpoint is host:port.
	Endpoint, Region, Bucket string
	Secure                   bool
	AccessKey, SecretKey     string
	// SecretFrom says where the secret key is.
	SecretFrom string
	// MaxBytes is the size of the largest image that all processors take; 0 if none of them says it.
	MaxBytes int64
}

// StoreAccount returns the store of the processors, with the account of the first one, which may put objects, since it puts
// its outputs.
func (c *Clients) StoreAccount(ctx context.Context) (*Account, error) {
	services, err := c.Serving.ServingV1().Services(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: ComponentLabel + "=processor",
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("list services: %w", err)
	case len(services.Items) == 0:
		return nil, fmt.Errorf("no Service of a processor is in namespace %s", c.Namespace)
	}
	var a *Account
	for _, s := range services.Items {
		if len(s.Spec.Template.Spec.Containers) == 0 {
			return nil, fmt.Errorf("service %s has no container", s.Name)
		}
		container := s.Spec.Template.Spec.Containers[0]
		if a == nil {
			if a, err = c.accountOf(ctx, container); err != nil {
				return nil, fmt.Errorf("service %s: %w", s.Name, err)
			}
			a.Service = s.Name
		}
		limit, err := c.Environment(ctx, container, "MAX_OBJECT_BYTES")
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Name, err)
		}
		if n, err := strconv.ParseInt(limit["MAX_OBJECT_BYTES"], 10, 64); err == nil && (a.MaxBytes == 0 || n < a.MaxBytes) {
			a.MaxBytes = n
		}
	}
	return a, nil
}

// accountOf returns the account of a container.
func (c *Clients) accountOf(ctx context.Context, container corev1.Container) (*Account, error) {
	env, err := c.Environment(ctx, container, "MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SECURE",
		"MINIO_REGION", "MINIO_BUCKET")
	if err != nil {
		return nil, err
	}
	if env["MINIO_ENDPOINT"] == "" {
		return nil, errors.New("MINIO_ENDPOINT is not set")
	}
	secure, _ := strconv.ParseBool(env["MINIO_SECURE"])
	return &Account{
		Endpoint: env["MINIO_ENDPOINT"], Region: env["MINIO_REGION"], Bucket: env["MINIO_BUCKET"], Secure: secure,
		AccessKey: env["MINIO_ACCESS_KEY"], SecretKey: env["MINIO_SECRET_KEY"], SecretFrom: secretFrom(container),
	}, nil
}

// secretFrom says where the secret key of a container's account is.
func secretFrom(container corev1.Container) string {
	for _, v := range container.Env {
		if v.Name == "MINIO_SECRET_KEY" && v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
			return fmt.Sprintf("key %s of secret %s", v.ValueFrom.SecretKeyRef.Key, v.ValueFrom.SecretKeyRef.Name)
		}
	}
	return "MINIO_SECRET_KEY of container " + container.Name
}

// ForwardStore forwards a free port of this machine to a store that is a Service of the cluster, until stop is called. The
// address is empty if the endpoint is of no Service, as that of a store elsewhere.
func (c *Clients) ForwardStore(ctx context.Context, endpoint string) (address string, stop func(), err error) {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil {
		return "", nil, fmt.Errorf("the store's endpoint is %q but must be host:port", endpoint)
	}
	name, namespace, isLocal := localName(host, c.Namespace)
	if !isLocal {
		return "", func() {}, nil
	}
	service, err := c.Kube.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && !strings.Contains(host, ".svc") {
		return "", func() {}, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("the store %s: %w", host, err)
	}
	return c.forwardService(ctx, service, port)
}

// localName returns the Service that a host name within a cluster is of: name, name.namespace or name.namespace.svc, and what
// follows it.
func localName(host, ours string) (name, namespace string, isLocal bool) {
	parts := strings.Split(host, ".")
	switch {
	case net.ParseIP(host) != nil || len(parts) > 2 && parts[2] != "svc":
		return "", "", false
	case len(parts) == 1:
		return host, ours, true
	}
	return parts[0], parts[1], true
}

// forwardService forwards a port of this machine to a port of a Service of Kubernetes, in one of its running pods.
func (c *Clients) forwardService(ctx context.Context, service *corev1.Service, port string) (string, func(), error) {
	if len(service.Spec.Selector) == 0 {
		return "", nil, fmt.Errorf("service %s selects no pods", service.Name)
	}
	pods, err := c.Kube.CoreV1().Pods(service.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.SelectorFromSet(service.Spec.Selector).String(),
	})
	if err != nil {
		return "", nil, err
	}
	for _, pod := range running(pods.Items) {
		for _, p := range service.Spec.Ports {
			if target := targetPort(p, pod); strconv.Itoa(int(p.Port)) == port && target != 0 {
				return c.forward(ctx, pod, target)
			}
		}
	}
	return "", nil, fmt.Errorf("no pod of service %s in %s runs and has its port %s", service.Name, service.Namespace, port)
}

// targetPort returns the port of a pod to which a port of a Service leads; 0 if the pod has none of this name.
func targetPort(p corev1.ServicePort, pod corev1.Pod) int32 {
	if p.TargetPort.StrVal == "" {
		return max(p.TargetPort.IntVal, 0)
	}
	for _, container := range pod.Spec.Containers {
		for _, own := range container.Ports {
			if own.Name == p.TargetPort.StrVal {
				return own.ContainerPort
			}
		}
	}
	return 0
}
