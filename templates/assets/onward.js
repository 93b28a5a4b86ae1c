// The one script of these pages: it presses the button of a form that another site must get by POST. Without it, the
// person does.
document.getElementById("onward").submit();
