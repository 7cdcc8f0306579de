package presets

import (
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/rules"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// placed is an error at a line of the file.
type placed struct {
	line int
	err  error
}

// Error begins with the line.
func (p *placed) Error() string { return fmt.Sprintf("line %d: %v", p.line, p.err) }

// Unwrap returns the error without the line.
func (p *placed) Unwrap() error { return p.err }

func at(node *yaml.Node, format string, args ...any) error {
	return &placed{node.Line, fmt.Errorf(format, args...)}
}

// within puts a name between the line and the text of each error.
func within(name string, err error) error {
	if err == nil {
		return nil
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range all.Unwrap() {
			errs = append(errs, within(name, e))
		}
		return errors.Join(errs...)
	}
	var p *placed
	if errors.As(err, &p) {
		return &placed{p.line, fmt.Errorf("%s: %w", name, p.err)}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// each calls do with the keys and values of a mapping, and returns all errors. A key that is there twice
// is an error.
func each(node *yaml.Node, do func(name, value *yaml.Node) error) error {
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		return at(node, "must have names with values")
	}
	var errs []error
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		name := node.Content[i]
		if seen[name.Value] {
			errs = append(errs, at(name, "%.40q is there twice", name.Value))
			continue
		}
		seen[name.Value] = true
		errs = append(errs, do(name, resolve(node.Content[i+1])))
	}
	return errors.Join(errs...)
}

// resolve returns the node that an alias stands for.
func resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// fieldError is about a field of a request.
type fieldError struct{ field, reason string }

// Error returns the field and the reason.
func (e *fieldError) Error() string {
	if e.field == "" {
		return e.reason
	}
	return e.field + ": " + e.reason
}

// check validates a request on an image.
func check(req proto.Message) error {
	m := proto.Clone(req).ProtoReflect()
	image := &imageflowv1.ImageData{Bucket: "bucket", ObjectKey: "image.jpg"}
	m.Set(m.Descriptor().Fields().ByName("input_image"), protoreflect.ValueOfMessage(image.ProtoReflect()))
	if err := protovalidate.Validate(m.Interface()); err != nil {
		return explain(err)
	}
	return nil
}

// explain returns one violated rule.
func explain(err error) error {
	v, ok := rules.Reported(err)
	if !ok {
		return err
	}
	return &fieldError{v.Field, v.Message}
}

// lineOf returns the node of the field that an error of check names, in the node of a step.
func lineOf(step *yaml.Node, err error) *yaml.Node {
	var bad *fieldError
	step = resolve(step)
	if !errors.As(err, &bad) {
		return step
	}
	fields := resolve(step.Content[1])
	for i := 0; i+1 < len(fields.Content); i += 2 {
		name := fields.Content[i].Value
		if len(bad.field) >= len(name) && bad.field[:len(name)] == name {
			return fields.Content[i]
		}
	}
	return step
}
