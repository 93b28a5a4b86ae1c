// The one script of these pages: it presses the button of a form that another site must get by POST; where the form says
// so, after some seconds. Without it, the person does.
const form = document.getElementById("onward");
const press = () => form.submit();
if (form.dataset.after) setTimeout(press, 1000 * form.dataset.after);
else press();
