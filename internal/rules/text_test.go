package rules

import (
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "imageflow.dev/proto/imageflow/v1"
)

// TestPatterns: each pattern of the contract has a sentence, so that no error shows a regular expression.
func TestPatterns(t *testing.T) {
	found := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("imageflow.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Messages().Len() {
			fields := file.Messages().Get(i).Fields()
			for f := range fields.Len() {
				rules, _ := proto.GetExtension(fields.Get(f).Options(), validate.E_Field).(*validate.FieldRules)
				for _, text := range []*validate.StringRules{rules.GetString(), rules.GetRepeated().GetItems().GetString()} {
					if text.GetPattern() == "" {
						continue
					}
					if found++; patterns[text.GetPattern()] == "" {
						t.Errorf("%s: no sentence for %s", fields.Get(f).FullName(), text.GetPattern())
					}
				}
			}
		}
		return true
	})
	if found < len(patterns) {
		t.Errorf("only %d patterns are found", found)
	}
}
