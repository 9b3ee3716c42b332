"""Which pages the console has. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Parameters
    ----------
    path : below the server, with parameters as the framework writes them; scripts read those from the address.
    template : file in `templates/`.
    title : in the heading and the tab.
    script : ES module in `static/js/` that fills it.
    nav : what the navigation calls it; None for pages that stand in none.
    icon : its symbol in `static/icons.svg`.
    scope : who without it does not see it in the navigation; "" for everybody.
    styles : style sheets of its own in `static/css/`.
    section : path of the page whose entry in the navigation is marked; by default its own.
    """

    path: str
    template: str
    title: str
    script: str
    nav: str | None = None
    icon: str = ""
    scope: str = ""
    styles: tuple[str, ...] = ()
    section: str | None = None


# In the order of the navigation.
PAGES: tuple[Page, ...] = (
    Page("/console", "overview.html", "Overview", "overview/page.js", nav="Overview", icon="overview"),
    Page("/console/models", "models.html", "Models", "models/page.js", nav="Models", icon="models", styles=("model",)),
    Page(
        "/console/models/{name}", "model.html", "Model", "model/page.js", styles=("model",), section="/console/models"
    ),
    Page("/console/jobs", "jobs.html", "Jobs", "jobs/page.js", nav="Jobs", icon="jobs", styles=("work", "lists")),
    Page("/console/jobs/{job_id}", "job.html", "Job", "jobs/job.js", styles=("work",), section="/console/jobs"),
    Page("/console/tasks", "tasks.html", "Tasks", "tasks/page.js", nav="Tasks", icon="tasks", styles=("work", "lists")),
    Page("/console/tasks/new", "task_new.html", "New task", "tasks/new.js", styles=("work",), section="/console/tasks"),
    Page("/console/tasks/{task_id}", "task.html", "Task", "tasks/task.js", styles=("work",), section="/console/tasks"),
    Page("/console/clusters", "clusters.html", "Clusters", "clusters/page.js", "Clusters", "clusters", "", ("work",)),
    Page("/console/data", "data.html", "Data", "data/page.js", "Data", "data", "predict", ("work",)),
    Page(
        "/console/settings", "settings.html", "Settings", "settings/page.js", "Settings", "settings", "admin", ("work",)
    ),
    Page("/console/sign-in", "sign_in.html", "Sign in", "sign-in/page.js", styles=("sign-in",)),
)
