// Package ui embeds the web page: our own modules as they are written, and the
// third-party bundles of the folder vendor. Nothing is fetched from elsewhere.
package ui

import (
	"bytes"
	"embed"
	"mime"
	"path"
)

//go:embed app vendor/*.js
var files embed.FS

// Asset returns a file of the page by its exact name, such as "index.html" or
// "vendor/preact.js", with its content type; ok is false when there is none. Lines
// of our modules that are comments and nothing else are sent empty.
func Asset(name string) (body []byte, contentType string, ok bool) {
	file := "app/" + name
	if path.Dir(name) == "vendor" {
		file = name
	}
	body, err := files.ReadFile(file)
	if err != nil {
		return nil, "", false
	}
	contentType = mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".js" {
		contentType = "text/javascript; charset=utf-8"
		if file != name {
			body = withoutComments(body)
		}
	}
	return body, contentType, true
}

// withoutComments empties the lines that begin with //, so that the numbers of all
// others stay. No text of our modules has such a line within it.
func withoutComments(module []byte) []byte {
	lines := bytes.SplitAfter(module, []byte("\n"))
	for i, line := range lines {
		if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("//")) {
			lines[i] = []byte("\n")
		}
	}
	return bytes.Join(lines, nil)
}
