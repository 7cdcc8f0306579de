package doctor

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/triggers"
)

// defaultBucket is the bucket of a Service without MINIO_BUCKET.
const defaultBucket = "imageflow-files"

// writable finds steps that write to a bucket which WRITE_TO of their processor does not permit: each of their events fails.
func (d *Doctor) writable(ctx context.Context, all []triggers.Trigger) *finding {
	services, err := d.allServices(ctx)
	if err != nil {
		return &finding{err.Error(), unread}
	}
	var reasons, fixes []string
	for _, s := range services {
		if _, isProcessor := processors.At(s.Name); !isProcessor {
			continue
		}
		list, err := d.Value(ctx, variable(s, "WRITE_TO"))
		bucket, err2 := d.Value(ctx, variable(s, "MINIO_BUCKET"))
		if err := cmp.Or(err, err2); err != nil {
			return &finding{fmt.Sprintf("%s: %v", s.Name, err), unread}
		}
		var missing []string
		for t, output := range outputsOf(s.Name, all, cmp.Or(bucket, defaultBucket)) {
			reason := fmt.Sprintf("%s writes to bucket %s, which is not in WRITE_TO of %s: %s", t, output, s.Name, list)
			if len(allowList(list).Prefixes(output, "")) > 0 || slices.Contains(reasons, reason) {
				continue
			}
			reasons = append(reasons, reason)
			if !slices.Contains(missing, output) {
				missing = append(missing, output)
			}
		}
		if len(missing) > 0 {
			fixes = append(fixes, d.permit(s, list, missing))
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &finding{strings.Join(reasons, "\n"), strings.Join(fixes, "\n")}
}

// outputsOf yields the steps of a Service with the buckets to which they write. uploads is the bucket of uploads.
func outputsOf(service string, all []triggers.Trigger, uploads string) iter.Seq2[triggers.Trigger, string] {
	return func(yield func(triggers.Trigger, string) bool) {
		for _, t := range all {
			if name, _ := query(t); name != service {
				continue
			}
			for _, bucket := range t.OutputBuckets(uploads) {
				if !yield(t, bucket) {
					return
				}
			}
		}
	}
}

// allowList returns the list in the text of a variable.
func allowList(variable string) objects.AllowList {
	if variable == "" {
		return nil
	}
	return strings.Split(variable, ",")
}

// permit is the fix that adds buckets to WRITE_TO of a Service.
func (d *Doctor) permit(s servingv1.Service, list string, buckets []string) string {
	value := strings.Join(append([]string{list}, buckets...), ",")
	i := slices.IndexFunc(s.Spec.Template.Spec.Containers[0].Env, func(v corev1.EnvVar) bool {
		return v.Name == "WRITE_TO" && v.ValueFrom == nil
	})
	if i < 0 {
		return "# set WRITE_TO=" + value + " of " + s.Name + " in your overlay, and deploy:\n" + deploy
	}
	return "# the account of " + s.Name + " needs the right to write there, too; see config/minio-policies\n" +
		fmt.Sprintf(`kubectl patch ksvc -n %s %s --type json `+
			`-p '[{"op":"replace","path":"/spec/template/spec/containers/0/env/%d/value","value":"%s"}]'`, d.Namespace, s.Name, i, value)
}
