package identity

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/auth-gateway/caddy-auth-gateway/module/mistake"
)

const (
	// verifiedName is what the word of a provider that an address is the
	// person's is called in a mapping, and the claim it is by default. It is no
	// attribute.
	verifiedName = "email_verified"

	// everyField is what stands for all fields in a mapping.
	everyField = fieldPrefix + "*"

	// maxClaim is how long the name of a claim may be, or the path to it.
	maxClaim = 255
)

// Mapping says which claims become which attributes. It never changes after
// NewMapping.
type Mapping struct {
	email, verified, name string // claims

	// vouched: verified speaks of email whatever the two are called, since the
	// operator has said so.
	vouched bool

	role   string // claim, or ""
	others []mapped
	fields string // what the claims of fields begin with, or ""

	known Organizations
}

// mapped is an attribute and the claim that becomes it.
type mapped struct{ attribute, claim string }

// CheckMapping reports why a claim cannot become an attribute: the attribute is
// none of those that there are, email_verified or field.*, or the claim cannot
// be the name of one.
func CheckMapping(attribute, claim string) error {
	if attribute != verifiedName && attribute != everyField {
		key, isField := strings.CutPrefix(attribute, fieldPrefix)
		switch {
		case isField:
			if ParseFieldKey(key) != nil {
				return errors.New("the key of a field has 1 to 64 letters, digits, _ and -")
			}
		case !slices.Contains(attributeNames, attribute):
			known := append(slices.Clone(attributeNames), verifiedName, fieldPrefix+"<key>", everyField)
			if near := mistake.DidYouMean(attribute, known); near != "" {
				return fmt.Errorf("is no attribute%s", near)
			}
			return fmt.Errorf("is no attribute: use %s", mistake.Choice(known))
		}
	}
	stars := strings.Count(claim, "*")
	switch {
	case claim == "":
		return errors.New("the name of a claim is missing")
	case len(claim) > maxClaim, !utf8.ValidString(claim), !printable(claim):
		return fmt.Errorf("the name of a claim has 1 to %d bytes, none of them a control character", maxClaim)
	case attribute == everyField && claim == "*":
		return errors.New("* alone would keep everything that the provider sends: give what the names begin with, such as user_field_*")
	case attribute == everyField && (stars != 1 || !strings.HasSuffix(claim, "*")):
		return fmt.Errorf("%q needs a * at its end for the key of the field, such as user_field_*", claim)
	case attribute != everyField && stars > 0:
		return fmt.Errorf("%q stands for several claims, and the attribute comes from one; only %s maps a whole family", claim, everyField)
	}
	return nil
}

// NewMapping returns the mapping of attributes to claims, for those known
// organizations, or any if nil. Without a word about them, email, email_verified
// and name come from the claims of that name; everything else is only kept if it
// is mapped.
func NewMapping(claims map[string]string, known Organizations) (*Mapping, error) {
	m := &Mapping{email: "email", verified: verifiedName, name: "name", known: known}
	for _, attribute := range slices.Sorted(maps.Keys(claims)) {
		claim := claims[attribute]
		if err := CheckMapping(attribute, claim); err != nil {
			return nil, fmt.Errorf("%s: %w", attribute, err)
		}
		switch attribute {
		case "email":
			m.email = claim
		case verifiedName:
			m.verified, m.vouched = claim, true
		case "name":
			m.name = claim
		case "role":
			m.role = claim
		case everyField:
			m.fields = strings.TrimSuffix(claim, "*")
		default:
			m.others = append(m.others, mapped{attribute, claim})
		}
	}
	m.vouched = m.vouched || m.email == "email"
	return m, nil
}

// Lacks reports whether a claim that is mapped is not told, so that it is worth
// while to ask elsewhere. With trustEmail nobody asks whether the address is
// verified.
func (m *Mapping) Lacks(told map[string]any, trustEmail bool) bool {
	sources := []map[string]any{told}
	if m.address(sources) == "" {
		return true
	}
	if _, ok := m.isVerified(sources); !ok && !trustEmail {
		return true
	}
	claims := []string{m.name}
	if m.role != "" {
		claims = append(claims, m.role)
	}
	for _, one := range m.others {
		claims = append(claims, one.claim)
	}
	return slices.ContainsFunc(claims, func(claim string) bool {
		_, ok := findClaim(told, claim)
		return !ok
	}) || m.fields != "" && len(findFamily(told, m.fields)) == 0
}

// Read picks out of a provider's claims what is mapped. Of several sources the
// first that has a claim counts. Everything else is forgotten.
func (m *Mapping) Read(told ...map[string]any) Claims {
	c := Claims{Email: m.address(told), Changes: make(Changes)}
	c.EmailVerified, _ = m.isVerified(told)
	name, _ := first(told, m.name)
	c.Name = cleanName(name)

	if claim, _ := first(told, m.role); m.role != "" && claim != nil {
		problem := ""
		if c.Role, problem = readRole(claim); problem != "" {
			c.ignore("role", m.role, problem)
		}
	}
	mappedFields := make(map[string]bool)
	claimOf := make(map[string]string)
	for _, one := range m.others {
		mappedFields[one.attribute] = true
		claimOf[one.attribute] = one.claim
		if claim, ok := first(told, one.claim); ok {
			c.take(one.attribute, one.claim, claim)
		}
	}
	m.readOrganizations(&c, claimOf)
	if m.fields != "" {
		fields, keys := members(told, m.fields)
		for _, key := range keys {
			switch {
			case mappedFields[fieldPrefix+key]: // by a word of its own
			case ParseFieldKey(key) != nil:
				c.ignore(everyField, fmt.Sprintf("%.64q", m.fields+key), "a field's key has 1 to 64 letters, digits, _ and -")
			default:
				c.take(fieldPrefix+key, m.fields+key, fields[key])
			}
		}
	}
	return c
}

// take keeps a claim as an attribute. What cannot be one changes nothing, and of
// a list is left out.
func (c *Claims) take(attribute, claim string, value any) {
	values, problem := readAttribute(attribute, value)
	if problem != "" {
		c.ignore(attribute, claim, problem)
		if len(values) == 0 && !isListOf(attribute, value) {
			return
		}
	}
	c.Changes[attribute] = values
}

// isListOf reports whether a claim is, for an attribute that is a list, one: what
// is in it replaces what there was, even if nothing of it can be kept.
func isListOf(attribute string, claim any) bool {
	_, ok := claim.([]any)
	return ok && isList(attribute)
}

// readOrganizations makes of what was told of organizations the known ones.
// External ids win over names where both came. Names and ids are two sides of
// one membership: whichever came replaces both.
func (m *Mapping) readOrganizations(c *Claims, claimOf map[string]string) {
	names, namesTold := c.Changes["organizations"]
	ids, idsTold := c.Changes["organization_ids"]
	if !namesTold && !idsTold {
		return
	}
	attribute, told := "organizations", names
	if len(ids) > 0 || !namesTold {
		attribute, told = "organization_ids", ids
	}
	var problem string
	names, ids, problem = m.known.known(told, attribute == "organization_ids")
	if problem != "" {
		c.ignore(attribute, claimOf[attribute], problem)
	}
	c.Changes["organizations"], c.Changes["organization_ids"] = names, ids
}

// address returns the first address that is told.
func (m *Mapping) address(told []map[string]any) string {
	for _, one := range told {
		claim, _ := findClaim(one, m.email)
		if email := cleanEmail(claim); email != "" {
			return email
		}
	}
	return ""
}

// isVerified reports whether the address is verified, and whether anything is
// said about that. It is said only by the word that stands beside that very
// address: a provider that lets people write what they like into another claim
// vouches for the claim "email" alone.
func (m *Mapping) isVerified(told []map[string]any) (verified, said bool) {
	address := m.address(told)
	for _, one := range told {
		claim, _ := findClaim(one, m.email)
		if address == "" || cleanEmail(claim) != address {
			continue
		}
		if !m.vouched && EmailKey(cleanEmail(one["email"])) != EmailKey(address) {
			continue
		}
		if word, _ := findClaim(one, m.verified); word != nil {
			return isTrue(word), true
		}
	}
	return false, false
}
