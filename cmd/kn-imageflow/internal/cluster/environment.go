package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Environment returns the values of the variables of a container that names selects, also of those that are in a secret or a
// ConfigMap of the namespace. Variables that the container does not have are missing.
func (c *Clients) Environment(ctx context.Context, container corev1.Container, names ...string) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range names {
		for _, v := range container.Env {
			if v.Name != name {
				continue
			}
			value, err := c.Value(ctx, v)
			if err != nil {
				return nil, fmt.Errorf("%s of container %s: %w", name, container.Name, err)
			}
			found[name] = value
		}
	}
	return found, nil
}

// Value returns the value of a variable, also of one that is in a secret or a ConfigMap of the namespace. A value that is
// missing in a secret, and may be, is empty.
func (c *Clients) Value(ctx context.Context, v corev1.EnvVar) (string, error) {
	switch from := v.ValueFrom; {
	case from == nil:
		return v.Value, nil
	case from.SecretKeyRef != nil:
		isOptional := ptr.Deref(from.SecretKeyRef.Optional, false)
		secret, err := c.Kube.CoreV1().Secrets(c.Namespace).Get(ctx, from.SecretKeyRef.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) && isOptional {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		value, ok := secret.Data[from.SecretKeyRef.Key]
		if !ok && !isOptional {
			return "", fmt.Errorf("secret %s has no key %s", secret.Name, from.SecretKeyRef.Key)
		}
		return string(value), nil
	case from.ConfigMapKeyRef != nil:
		values, err := c.Kube.CoreV1().ConfigMaps(c.Namespace).Get(ctx, from.ConfigMapKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		value, ok := values.Data[from.ConfigMapKeyRef.Key]
		if !ok {
			return "", fmt.Errorf("configmap %s has no key %s", values.Name, from.ConfigMapKeyRef.Key)
		}
		return value, nil
	}
	return "", fmt.Errorf("its value is known only within a pod")
}
