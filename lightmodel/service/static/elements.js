// Creates elements in one expression; text is always set as text, never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

// A style set from a script passes a Content-Security-Policy that forbids style attributes.
export function wide(node, share) {
  node.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  return node;
}

export function placed(node, share) {
  node.style.left = `${100 * Math.min(1, Math.max(0, share))}%`;
  return node;
}
