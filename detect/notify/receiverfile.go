package notify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pulse/detect/secret"
)

// fileSuffix ends a key of a rule file that names the file with the value.
const fileSuffix = "_file"

// maxSecretFile bounds a file that a secret is read from.
const maxSecretFile = 64 << 10

// ParseFileReceiver reads a receiver out of a rule file, as ParseReceiver does. There
// the URL and every secret may stand in a file of its own, under a key such as
// routing_key_file; a relative name is seen from dir. These files are read when the
// receiver is put. Over the API that is not possible: it would let its users read
// files of the server.
func ParseFileReceiver(src []byte, dir string) (Receiver, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(src, &keys); err != nil {
		return ParseReceiver(src) // whose error is better
	}
	files := map[string]string{}
	for _, key := range fileKeys() {
		raw, ok := keys[key+fileSuffix]
		if !ok {
			continue
		}
		if _, both := keys[key]; both {
			return Receiver{}, fmt.Errorf("receiver: key %q stands beside %s", key+fileSuffix, key)
		}
		var name string
		if err := json.Unmarshal(raw, &name); err != nil || name == "" {
			return Receiver{}, fmt.Errorf("receiver: key %q wants the name of a file", key+fileSuffix)
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		files[key] = name
		delete(keys, key+fileSuffix)
	}
	if len(files) == 0 {
		return ParseReceiver(src)
	}
	rest, err := json.Marshal(keys)
	if err != nil {
		return Receiver{}, err
	}
	r, err := ParseReceiver(rest)
	r.files = files
	return r, err
}

// fileKeys are the keys whose values may stand in files.
func fileKeys() []string {
	out := []string{"url"}
	for _, s := range new(Receiver).settings() {
		if s.secret != nil {
			out = append(out, s.key)
		}
	}
	return out
}

// readFiles fills in what stands in files.
func (r *Receiver) readFiles() error {
	for key, name := range r.files {
		text, err := readSecret(name)
		if err != nil {
			return fmt.Errorf("%s%s: %w", key, fileSuffix, err)
		}
		if key == "url" {
			r.URL = secret.NewURL(text)
		}
		for _, s := range r.settings() {
			if s.key == key && s.secret != nil {
				*s.secret = secret.New(text)
			}
		}
	}
	return nil
}

// readSecret reads a file and drops the blanks and line ends around its content.
func readSecret(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretFile {
		return "", fmt.Errorf("%s is no file of at most %d bytes", name, maxSecretFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	out := strings.TrimSpace(string(text))
	if out == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return out, nil
}
