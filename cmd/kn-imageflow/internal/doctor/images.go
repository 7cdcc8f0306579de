package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/internal/processors"
)

// images checks that all Services run images of one version, and that their latest revisions are ready.
func (d *Doctor) images(ctx context.Context) (string, *finding) {
	all, err := d.allServices(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	all = slices.DeleteFunc(all, func(s servingv1.Service) bool {
		return !isOurs(s.Name) || len(s.Spec.Template.Spec.Containers) == 0
	})
	wanted := versions(all)
	var reasons, fixes []string
	for _, s := range all {
		repository, version := split(s.Spec.Template.Spec.Containers[0].Image)
		created, ready := s.Status.LatestCreatedRevisionName, s.Status.LatestReadyRevisionName
		isOld := version != wanted[repository]
		if isOld {
			reasons = append(reasons, fmt.Sprintf("%s runs %s, but the others run %s", s.Name, repository+version, wanted[repository]))
			fixes = append(fixes, fmt.Sprintf(`kubectl patch ksvc -n %s %s --type json `+
				`-p '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"%s"}]'`,
				d.Namespace, s.Name, repository+wanted[repository]))
		}
		if created != ready {
			reasons = append(reasons,
				fmt.Sprintf("%s: its latest revision %s is not ready; %s serves", s.Name, created, cmp.Or(ready, "none")))
			if !isOld {
				fixes = append(fixes, fmt.Sprintf("kubectl describe revision -n %s %s", d.Namespace, created))
			}
		}
	}
	if len(reasons) > 0 {
		return "", &finding{strings.Join(reasons, "\n"), strings.Join(fixes, "\n")}
	}
	var names []string
	for _, repository := range slices.Sorted(maps.Keys(wanted)) {
		names = append(names, repository+wanted[repository])
	}
	return strings.Join(names, ", "), nil
}

// isOurs reports whether a Service of ImageFlow has the name.
func isOurs(name string) bool {
	_, isProcessor := processors.At(name)
	return isProcessor || slices.Contains([]string{gatewayService, bridgeService, notifyService, "console"}, name)
}

// versions returns, for each repository, the version that most Services run: a tag, which all repositories have in common, or the
// repository's digest.
func versions(all []servingv1.Service) map[string]string {
	tags, digests := map[string]int{}, map[string]map[string]int{}
	for _, s := range all {
		repository, version := split(s.Spec.Template.Spec.Containers[0].Image)
		if digests[repository] == nil {
			digests[repository] = map[string]int{}
		}
		digests[repository][version]++
		if !strings.HasPrefix(version, "@") {
			tags[version]++
		}
	}
	wanted := map[string]string{}
	for repository, of := range digests {
		wanted[repository] = mostFrequent(of)
		if !strings.HasPrefix(wanted[repository], "@") {
			wanted[repository] = mostFrequent(tags)
		}
	}
	return wanted
}

// mostFrequent returns the most frequent text; of several, the last in their order.
func mostFrequent(counts map[string]int) string {
	return slices.MaxFunc(slices.Sorted(maps.Keys(counts)), func(a, b string) int {
		return cmp.Or(counts[a]-counts[b], strings.Compare(a, b))
	})
}

// split returns the repository of an image and its version: ":" and a tag, or "@" and a digest.
func split(image string) (repository, version string) {
	if repository, digest, ok := strings.Cut(image, "@"); ok {
		return repository, "@" + digest
	}
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i:]
	}
	return image, ":latest"
}
