package execution

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
)

// Leaf is an output with a default key, at the end of a branch. An execution with branches has completed
// when all leaves exist.
type Leaf struct {
	// Step is the name of the processor.
	Step string
	// Variant is empty if the output has none.
	Variant string
	// Extension ends the key of the output, without its dot; empty if it follows from the upload.
	Extension string
}

// OutputExtensions are those of the formats that steps write.
var OutputExtensions = []string{"avif", "gif", "jpg", "jxl", "png", "tiff", "webp"}

// maxLeaves limits the leaves of an execution.
const maxLeaves = 64

// maxLeavesBytes limits the text of ParseLeaves.
const maxLeavesBytes = 4 << 10

// ParseLeaves reads leaves, separated by commas. Each is the name of a step, "-<variant>" if the output has
// one, and optionally ".<extension>": resize-small,resize-large.webp,filter.
func ParseLeaves(text string) ([]Leaf, error) {
	if len(text) > maxLeavesBytes {
		return nil, fmt.Errorf("more than %d bytes", maxLeavesBytes)
	}
	var leaves []Leaf
	for item := range strings.SplitSeq(text, ",") {
		leaf, ok := parseLeaf(item)
		switch {
		case !ok:
			return nil, fmt.Errorf("%q is no step, such as resize, resize-small or resize-small.webp", item)
		case slices.ContainsFunc(leaves, leaf.isSameOutput):
			return nil, fmt.Errorf("%q is listed twice", item)
		case len(leaves) == maxLeaves:
			return nil, fmt.Errorf("more than %d steps", maxLeaves)
		}
		leaves = append(leaves, leaf)
	}
	return leaves, nil
}

// leavesParameter is the only parameter of the bridge's /completed. It has the leaves.
const leavesParameter = "of"

// ParseLeavesQuery returns the leaves in the query of /completed; none if it is empty. Any parameter but one `of` is an
// error.
func ParseLeavesQuery(query string) ([]Leaf, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the query is not URL-encoded")
	}
	for name, given := range values {
		switch {
		case name != leavesParameter:
			return nil, fmt.Errorf("%.64q: no such parameter; %s lists the outputs that an execution waits for", name, leavesParameter)
		case len(given) > 1:
			return nil, fmt.Errorf("%s: given more than once; separate outputs by commas", name)
		}
	}
	if !values.Has(leavesParameter) {
		return nil, nil
	}
	leaves, err := ParseLeaves(values.Get(leavesParameter))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", leavesParameter, err)
	}
	return leaves, nil
}

var extensionPattern = regexp.MustCompile(`^[a-z0-9]{1,8}$`)

func parseLeaf(item string) (leaf Leaf, ok bool) {
	name, extension, hasExtension := strings.Cut(item, ".")
	if hasExtension && !extensionPattern.MatchString(extension) {
		return leaf, false
	}
	for _, p := range processors.All {
		variant, hasVariant := strings.CutPrefix(name, p.Name+"-")
		if name == p.Name {
			return Leaf{p.Name, "", extension}, true
		}
		if hasVariant && processors.IsVariant(variant) {
			return Leaf{p.Name, variant, extension}, true
		}
	}
	return leaf, false
}

func (l Leaf) isSameOutput(other Leaf) bool {
	return l.Step == other.Step && l.Variant == other.Variant
}

// String returns the text that ParseLeaves reads.
func (l Leaf) String() string {
	text := l.Step
	if l.Variant != "" {
		text += "-" + l.Variant
	}
	if l.Extension != "" {
		text += "." + l.Extension
	}
	return text
}

// FindLeaves returns the leaves of an upload that were made from the version with this ETag, or none if one is missing.
// It asks for each leaf at once, at the key with its extension, or else with the given one. For a leaf without an
// extension of its own that is not there, it asks for all extensions, until it finds a leaf missing.
func FindLeaves(
	ctx context.Context, store *objects.Store, upload objects.Info, leaves []Leaf, extension string,
) ([]objects.Info, error) {
	found := make([]objects.Info, len(leaves))
	group, going := errgroup.WithContext(ctx)
	for i, leaf := range leaves {
		group.Go(func() (err error) {
			found[i], err = leaf.at(going, store, upload, cmp.Or(leaf.Extension, extension))
			return err
		})
	}
	err := group.Wait()
	for i, leaf := range leaves {
		if err == nil && found[i].Key == "" && leaf.Extension == "" {
			found[i], err = leaf.withAnyExtension(ctx, store, upload)
		}
		if err != nil || found[i].Key == "" {
			return nil, err
		}
	}
	return found, nil
}

// unlessMissing returns an error unless it says that an object does not exist or cannot.
func unlessMissing(err error) error {
	if errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrInvalidName) {
		return nil
	}
	return err
}

// key returns the key of the leaf without its extension.
func (l Leaf) key(upload objects.Info) string {
	p, _ := processors.Named(l.Step)
	return processors.Names{Execution: ID(upload.Key), Variant: l.Variant}.Key(p)
}

// withAnyExtension returns the leaf with any of OutputExtensions; an empty object if there is none. A listing would take
// MinIO the longer the more objects the folder has.
func (l Leaf) withAnyExtension(ctx context.Context, store *objects.Store, upload objects.Info) (objects.Info, error) {
	found := make([]objects.Info, len(OutputExtensions))
	group, going := errgroup.WithContext(ctx)
	for i, extension := range OutputExtensions {
		group.Go(func() (err error) {
			found[i], err = l.at(going, store, upload, extension)
			return err
		})
	}
	err := group.Wait()
	return found[max(0, slices.IndexFunc(found, func(o objects.Info) bool { return o.Key != "" }))], err
}

// at returns the leaf with this extension; an empty object if there is none.
func (l Leaf) at(ctx context.Context, store *objects.Store, upload objects.Info, extension string) (objects.Info, error) {
	info, err := store.Stat(ctx, upload.Bucket, l.key(upload)+"."+extension)
	if err == nil {
		info, err = l.ifMadeFrom(ctx, store, upload, info)
	}
	return info, unlessMissing(err)
}

// ifMadeFrom returns an object if it is the leaf of this version of the upload, or else an empty object. Outputs of
// earlier versions of ImageFlow do not name the upload: then the objects in between show it.
func (l Leaf) ifMadeFrom(ctx context.Context, store *objects.Store, upload, info objects.Info) (objects.Info, error) {
	isLeaf := IsOutput(info, ID(upload.Key)) && info.Metadata[StepMetadata] == l.Step &&
		info.Metadata[VariantMetadata] == l.Variant && path.Ext(info.Key) != ".json"
	var err error
	if origin, hasOrigin := info.Metadata[OriginMetadata]; hasOrigin {
		isLeaf = isLeaf && origin == upload.ETag
	} else if isLeaf {
		e := Execution{ID: ID(upload.Key), Bucket: upload.Bucket}
		var outputs []objects.Info
		outputs, err = e.outputs(ctx, store)
		isInfo := func(s Step) bool { return s.Output.Key == info.Key }
		isLeaf = slices.ContainsFunc(steps(&upload, outputs), isInfo)
	}
	if !isLeaf {
		info = objects.Info{}
	}
	return info, err
}
