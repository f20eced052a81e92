package module

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
)

// readPassword reads one line, or asks twice at a terminal, where what is typed
// is not shown.
func readPassword(in io.Reader, prompts io.Writer) (string, error) {
	if !isTerminal(in) {
		line, err := readLine(in)
		if err == nil && line == "" {
			err = errors.New("the first line is empty: write the password there")
		}
		return line, err
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(prompts, prompt)
		typed, err := term.ReadPassword(int(in.(*os.File).Fd()))
		fmt.Fprintln(prompts)
		return string(typed), err
	}
	password, err := ask("Password: ")
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	again, err := ask("The same again: ")
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	if password != again {
		return "", errors.New("the two differ: start over")
	}
	return password, nil
}

// isTerminal reports whether somebody types what is read.
func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// readLine reads up to the end of a line, byte by byte, so that what follows
// is left for others. The end of the input ends the line too.
func readLine(in io.Reader) (string, error) {
	var line strings.Builder
	for b := make([]byte, 1); ; {
		switch _, err := io.ReadFull(in, b); {
		case errors.Is(err, io.EOF), err == nil && b[0] == '\n':
			return strings.TrimSuffix(line.String(), "\r"), nil
		case err != nil:
			return "", fmt.Errorf("reading a line: %w", err)
		case line.Len() > account.MaxPasswordBytes:
			return "", fmt.Errorf("the line is longer than %d bytes", account.MaxPasswordBytes)
		}
		line.WriteByte(b[0])
	}
}
